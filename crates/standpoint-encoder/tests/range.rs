//! Every processor comes to the same products of 8-bit numbers, because no pair of them is too large.
//!
//! x86-64 before VNNI multiplies them in pairs and adds each pair in 16 bits; what does not fit is cut
//! off there, without a word. `keep_in_range` of `training/export.py` sees to it that all fits.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::fs;
use std::path::{Path, PathBuf};

use rten_onnx::onnx::{ModelProto, TensorProto};

const LARGEST_ACTIVATION: i32 = u8::MAX as i32;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The weights of a tensor, which stand in the network's file or in one beside it.
fn weights(tensor: &TensorProto, folder: &Path) -> Vec<i8> {
    let whole = tensor.raw_data.as_ref().map(|bytes| bytes.borrow().clone());
    let bytes = whole.filter(|bytes| !bytes.is_empty()).unwrap_or_else(|| {
        let entry = |key: &str| {
            let mut entries = tensor.external_data.iter();
            let found = entries.find(|entry| entry.key.as_deref() == Some(key)).unwrap();
            found.value.clone().unwrap()
        };
        let (begin, length): (usize, usize) =
            (entry("offset").parse().unwrap(), entry("length").parse().unwrap());
        fs::read(folder.join(entry("location"))).unwrap()[begin..begin + length].to_vec()
    });
    bytes.into_iter().map(u8::cast_signed).collect()
}

/// The least and the most that two weights of a column come to which are added in 16 bits.
fn pairs(weights: &[i8], columns: usize) -> (i32, i32) {
    let rows: Vec<&[i8]> = weights.chunks_exact(columns).collect();
    let (mut least, mut most) = (0, 0);
    for pair in rows.chunks(2) {
        for column in 0..columns {
            let two = pair.iter().map(|row| i32::from(row[column]));
            least = least.min(two.clone().filter(|weight| *weight < 0).sum());
            most = most.max(two.filter(|weight| 0 < *weight).sum());
        }
    }
    (least, most)
}

#[test]
fn no_pair_of_products_is_cut_off() {
    for folder in [folder("model"), folder("tests/fixture")] {
        for name in ["encoder.onnx", "sentiment.onnx", "stance.onnx", "names.onnx"] {
            let file = folder.join(name);
            let graph = ModelProto::parse_buf(&fs::read(&file).unwrap()).unwrap().graph.unwrap();
            let is_product = |operator: Option<&str>| operator == Some("MatMulInteger");
            let products = graph.node.iter().filter(|node| is_product(node.op_type.as_deref()));
            let mut seen = 0;
            for product in products {
                let named = |tensor: &&TensorProto| tensor.name.as_ref() == Some(&product.input[1]);
                let tensor = graph.initializer.iter().find(named).unwrap();
                let columns = usize::try_from(tensor.dims[1]).unwrap();
                let (least, most) = pairs(&weights(tensor, &folder), columns);
                let what = format!("{}: {}", file.display(), product.input[1]);
                assert!(i32::from(i16::MIN) <= least * LARGEST_ACTIVATION, "{what}: {least}");
                assert!(most * LARGEST_ACTIVATION <= i32::from(i16::MAX), "{what}: {most}");
                seen += 1;
            }
            assert!(0 < seen, "{} has no product in 8 bits", file.display());
        }
    }
}
