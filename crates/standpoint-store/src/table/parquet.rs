//! Rows as Parquet, written while they come.
//!
//! A file of Parquet is groups of rows, column by column, and an end that says where they are. One
//! group is held in memory, then compressed and written; so memory does not grow with the table,
//! and a file that broke off has no end and is no file to anybody who opens it.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::{Cell, Column, Kind};

/// A group is written when it holds so many rows ...
const MOST_ROWS: usize = 50_000;

/// ... or so much text.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// A table that is being written.
#[derive(Debug)]
pub struct Table<W> {
    out: W,
    /// What it writes is taken away after each group, so that `out` need not be shared with it.
    file: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Held>,
    rows: usize,
    bytes: usize,
}

/// A column's values since the last group.
#[derive(Debug)]
struct Held {
    column: Column,
    /// 1 for each row that has a value, 0 for each that has none.
    presence: Vec<i16>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Text(Vec<ByteArray>),
    Number(Vec<f64>),
    Count(Vec<i64>),
    Flag(Vec<bool>),
}

impl<W: Write> Table<W> {
    /// Begins a table.
    ///
    /// # Errors
    ///
    /// When two columns have one name, or `out` takes nothing.
    pub fn new(out: W, columns: &[Column]) -> io::Result<Self> {
        let fields = columns.iter().map(|column| field(column).map(Arc::new));
        let fields = fields.collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let schema = Type::group_type_builder("standpoint").with_fields(fields).build();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // Whether a group can hold what is looked for is known from its own bounds; those of
            // each page would be as long as the longest text and wait in memory for the end.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by(concat!("standpoint ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let schema = Arc::new(schema.map_err(refused)?);
        let file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties));
        let columns = columns.iter().map(Held::of).collect();
        Ok(Self { out, file: file.map_err(refused)?, columns, rows: 0, bytes: 0 })
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// When it has other columns than the table, or `out` takes no more.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        if cells.len() != self.columns.len() {
            let (found, expected) = (cells.len(), self.columns.len());
            let message = format!("a row has {found} cells and the table {expected} columns");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            self.bytes += column.add(*cell)?;
        }
        self.rows += 1;
        if self.rows >= MOST_ROWS || self.bytes >= MOST_BYTES {
            self.group()?;
        }
        Ok(())
    }

    /// Writes what is held and the end of the file, without which it is none.
    ///
    /// # Errors
    ///
    /// When `out` takes no more.
    pub fn finish(mut self) -> io::Result<W> {
        self.group()?;
        self.file.finish().map_err(refused)?;
        self.pass_on()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn group(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group().map_err(refused)?;
        for column in &mut self.columns {
            if let Some(writer) = group.next_column().map_err(refused)? {
                column.write(writer).map_err(refused)?;
            }
        }
        group.close().map_err(refused)?;
        (self.rows, self.bytes) = (0, 0);
        self.pass_on()
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.out.write_all(&mem::take(self.file.inner_mut()))
    }
}

impl Held {
    fn of(column: &Column) -> Self {
        let values = match column.kind {
            Kind::Text => Values::Text(Vec::new()),
            Kind::Number => Values::Number(Vec::new()),
            Kind::Count => Values::Count(Vec::new()),
            Kind::Flag => Values::Flag(Vec::new()),
        };
        Self { column: *column, presence: Vec::new(), values }
    }

    /// Adds a value; how many bytes it holds.
    fn add(&mut self, cell: Cell<'_>) -> io::Result<usize> {
        let mut bytes = mem::size_of::<f64>();
        match (&mut self.values, cell) {
            (_, Cell::None) => {
                self.presence.push(0);
                return Ok(bytes);
            }
            (Values::Text(values), Cell::Text(text)) => {
                bytes += text.len();
                values.push(text.as_bytes().to_vec().into());
            }
            (Values::Number(values), Cell::Number(number)) => values.push(number),
            (Values::Count(values), Cell::Count(count)) => values.push(count),
            (Values::Flag(values), Cell::Flag(flag)) => values.push(flag),
            _ => {
                let Column { name, kind } = self.column;
                let message = format!("column `{name}` holds values of kind {kind:?} only");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
        self.presence.push(1);
        Ok(bytes)
    }

    fn write(&mut self, mut writer: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let presence = Some(mem::take(&mut self.presence));
        let presence = presence.as_deref();
        match &mut self.values {
            Values::Text(values) => {
                let values = mem::take(values);
                writer.typed::<ByteArrayType>().write_batch(&values, presence, None)?;
            }
            Values::Number(values) => {
                let values = mem::take(values);
                writer.typed::<DoubleType>().write_batch(&values, presence, None)?;
            }
            Values::Count(values) => {
                let values = mem::take(values);
                writer.typed::<Int64Type>().write_batch(&values, presence, None)?;
            }
            Values::Flag(values) => {
                let values = mem::take(values);
                writer.typed::<BoolType>().write_batch(&values, presence, None)?;
            }
        }
        writer.close()
    }
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Number => (Physical::DOUBLE, None),
        Kind::Count => (Physical::INT64, None),
        Kind::Flag => (Physical::BOOLEAN, None),
    };
    Type::primitive_type_builder(column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

fn refused(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [Column; 4] = [
        Column { name: "text", kind: Kind::Text },
        Column { name: "number", kind: Kind::Number },
        Column { name: "count", kind: Kind::Count },
        Column { name: "flag", kind: Kind::Flag },
    ];

    type Row = (Option<String>, Option<f64>, Option<i64>, Option<bool>);

    fn written(rows: &[Row]) -> Vec<u8> {
        let mut table = Table::new(Vec::new(), &COLUMNS).unwrap();
        for (text, number, count, flag) in rows {
            let cells = [
                text.into(),
                (*number).into(),
                count.map_or(Cell::None, Cell::Count),
                flag.map_or(Cell::None, Cell::Flag),
            ];
            table.row(&cells).unwrap();
        }
        table.finish().unwrap()
    }

    fn opened(bytes: &[u8]) -> Result<SerializedFileReader<File>, ParquetError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        SerializedFileReader::new(file)
    }

    fn read(file: &[u8]) -> Vec<Row> {
        let reader = opened(file).unwrap();
        let rows = reader.get_row_iter(None).unwrap().map(|row| {
            let row = row.unwrap();
            let mut row = row.get_column_iter().map(|(_, field)| field.clone());
            let text = match row.next() {
                Some(Field::Str(text)) => Some(text),
                _ => None,
            };
            let number = match row.next() {
                Some(Field::Double(number)) => Some(number),
                _ => None,
            };
            let count = match row.next() {
                Some(Field::Long(count)) => Some(count),
                _ => None,
            };
            let flag = match row.next() {
                Some(Field::Bool(flag)) => Some(flag),
                _ => None,
            };
            (text, number, count, flag)
        });
        rows.collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            rows in prop::collection::vec(
                (any::<Option<String>>(), prop::option::of(-1e9..1e9), any::<Option<i64>>(), any::<Option<bool>>()),
                0..40,
            )
        ) {
            prop_assert_eq!(read(&written(&rows)), rows);
        }
    }

    /// Counts what it is given at once.
    struct Meter {
        most: usize,
        all: usize,
    }

    impl Write for Meter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.most = self.most.max(bytes.len());
            self.all += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_long_table_is_written_in_parts_and_none_is_large() {
        let mut table = Table::new(Meter { most: 0, all: 0 }, &COLUMNS).unwrap();
        let mut state = 1_u64;
        let mut held = 0;
        for number in 0..60_000_i64 {
            // Letters that do not compress.
            let text: String = (0..400)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    char::from(b'!' + (state >> 40) as u8 % 90)
                })
                .collect();
            let cells =
                [Cell::Text(&text), Cell::Number(0.5), Cell::Count(number), Cell::Flag(true)];
            table.row(&cells).unwrap();
            held = held.max(table.bytes);
        }
        assert!(held <= MOST_BYTES, "{held}");
        let meter = table.finish().unwrap();
        assert!(
            meter.all > 20_000_000 && meter.most < 2 * MOST_BYTES,
            "{} {}",
            meter.all,
            meter.most
        );
    }

    #[test]
    fn a_row_that_does_not_fit_is_named() {
        let mut table = Table::new(Vec::new(), &COLUMNS).unwrap();
        let short = table.row(&[Cell::None]).unwrap_err().to_string();
        assert_eq!(short, "a row has 1 cells and the table 4 columns");
        let cells = [Cell::Count(1), Cell::None, Cell::None, Cell::None];
        let wrong = table.row(&cells).unwrap_err().to_string();
        assert_eq!(wrong, "column `text` holds values of kind Text only");
    }

    #[test]
    fn a_file_that_broke_off_is_none() {
        let mut file = written(&[(Some("a".to_owned()), None, None, None)]);
        file.truncate(file.len() - 1);
        assert!(opened(&file).is_err());
    }
}
