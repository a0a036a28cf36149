//! The file of a model: read, checked and written.

use thiserror::Error;

use super::{LinearModel, MAX_BITS, blocks_of, recipe_id};
use crate::feature::hash;

const MAGIC: &[u8; 8] = b"SPLINEAR";
const FORMAT: u32 = 1;
const CHECKSUM_SEED: u64 = 0x5350_4c49_4e45_4152;

impl<const C: usize> LinearModel<C> {
    /// Reads a model from the bytes of its file.
    ///
    /// - `recipe`: the name of how the caller makes its features, such as `"sentiment/3"`. Change
    ///   the name whenever the features change, and old weights are refused instead of misread.
    ///
    /// # Errors
    ///
    /// [`LoadError`] says what is wrong with the bytes, the checksum being looked at first.
    pub fn from_bytes(bytes: &[u8], recipe: &str) -> Result<Self, LoadError> {
        let mut reader = Reader { rest: checked_body(bytes)? };
        let format = reader.u32()?;
        if format != FORMAT {
            return Err(LoadError::Format { found: format });
        }
        let classes = reader.u32()?;
        if classes as usize != C {
            return Err(LoadError::Classes { found: classes, expected: C });
        }
        let bits = reader.u32()?;
        let row_count = reader.u32()?;
        let found_recipe = reader.u64()?;
        if found_recipe != recipe_id(recipe) {
            return Err(LoadError::Recipe { expected: recipe.to_owned() });
        }
        let temperature = reader.f32()?;
        let prior: [f32; C] = reader.floats()?;
        let scales: [f32; C] = reader.floats()?;
        if !(1..=MAX_BITS).contains(&bits) || row_count > 1 << bits {
            return Err(LoadError::Value { what: "size" });
        }
        if !(temperature.is_finite() && 0.0 < temperature) {
            return Err(LoadError::Value { what: "temperature" });
        }
        if !prior.iter().chain(&scales).all(|number| number.is_finite()) {
            return Err(LoadError::Value { what: "prior or scale" });
        }
        let buckets = reader.buckets(row_count, bits)?;
        let rows: Vec<[i8; C]> = reader
            .take(row_count as usize * C)?
            .as_chunks::<C>()
            .0
            .iter()
            .map(|row| row.map(u8::cast_signed))
            .collect();
        if !reader.rest.is_empty() {
            return Err(LoadError::Value { what: "length" });
        }
        let blocks = blocks_of(&buckets, bits);
        Ok(Self { bits, recipe: found_recipe, temperature, prior, scales, blocks, rows })
    }

    /// Writes the model as the bytes that [`from_bytes`](Self::from_bytes) reads.
    ///
    /// # File format
    ///
    /// Little-endian: the magic `SPLINEAR`, format `u32`, classes `u32`, bits `u32`, rows `u32`,
    /// recipe `u64` (hash of its name), temperature `f32`, one prior and then one scale `f32` per
    /// class, then for each row the gap to the bucket before it as a LEB128 number (the first
    /// counts from -1, so a gap is never 0), then one `i8` per row and class, then the checksum
    /// `u64` of all that precedes it. The checksum finds damage, not forgery.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for number in [FORMAT, C as u32, self.bits, self.rows.len() as u32] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.recipe.to_le_bytes());
        bytes.extend(self.temperature.to_le_bytes());
        for number in self.prior.iter().chain(&self.scales) {
            bytes.extend(number.to_le_bytes());
        }
        let mut next = 0;
        for bucket in self.buckets() {
            push_leb128(&mut bytes, bucket + 1 - next);
            next = bucket + 1;
        }
        bytes.extend(self.rows.iter().flatten().map(|weight| weight.cast_unsigned()));
        let checksum = hash(CHECKSUM_SEED, &bytes);
        bytes.extend(checksum.to_le_bytes());
        bytes
    }
}

/// Why bytes are not a usable model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes do not start like a model file.
    #[error("not a file of linear weights: it does not start with `SPLINEAR`")]
    NotAModel,

    /// The bytes were changed or cut off after they were written.
    #[error("the weights are damaged: their checksum does not match; fetch or train them again")]
    Damaged,

    /// The file was written by another version of this crate.
    #[error("the weights have format {found} and this build reads {FORMAT}: train them again")]
    Format {
        /// The format number in the file.
        found: u32,
    },

    /// The model separates another number of classes.
    #[error("the weights tell {found} classes apart and {expected} are expected")]
    Classes {
        /// How many the file has.
        found: u32,
        /// How many the caller wants.
        expected: usize,
    },

    /// The weights were made for features that are made differently.
    #[error("the weights were not trained for features of the recipe {expected}: train them again")]
    Recipe {
        /// The caller's recipe.
        expected: String,
    },

    /// A field holds what no trainer writes.
    #[error("the weights hold an impossible {what}: train them again")]
    Value {
        /// The field.
        what: &'static str,
    },
}

/// What lies between magic and checksum, once both are right.
fn checked_body(bytes: &[u8]) -> Result<&[u8], LoadError> {
    let body = bytes.strip_prefix(MAGIC).ok_or(LoadError::NotAModel)?;
    let (body, checksum) = body.split_last_chunk::<8>().ok_or(LoadError::Damaged)?;
    let covered = &bytes[..bytes.len() - checksum.len()];
    if hash(CHECKSUM_SEED, covered) != u64::from_le_bytes(*checksum) {
        return Err(LoadError::Damaged);
    }
    Ok(body)
}

fn push_leb128(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], LoadError> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or(LoadError::Value { what: "length" })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let (taken, rest) =
            self.rest.split_first_chunk().ok_or(LoadError::Value { what: "length" })?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, LoadError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, LoadError> {
        self.array().map(u64::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32, LoadError> {
        self.array().map(f32::from_le_bytes)
    }

    fn floats<const N: usize>(&mut self) -> Result<[f32; N], LoadError> {
        let mut numbers = [0.0; N];
        for number in &mut numbers {
            *number = self.f32()?;
        }
        Ok(numbers)
    }

    /// Reads the gaps between buckets and adds them up.
    fn buckets(&mut self, count: u32, bits: u32) -> Result<Vec<u32>, LoadError> {
        let mut buckets = Vec::with_capacity(count as usize);
        let mut next = 0_u64;
        for _ in 0..count {
            let gap = self.leb128()?;
            next += u64::from(gap);
            if gap == 0 || next > 1 << bits {
                return Err(LoadError::Value { what: "bucket" });
            }
            buckets.push((next - 1) as u32);
        }
        Ok(buckets)
    }

    fn leb128(&mut self) -> Result<u32, LoadError> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let [byte] = self.array()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(LoadError::Value { what: "bucket" })
    }
}
