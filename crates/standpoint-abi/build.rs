//! Passes the target triple on to the code, which cannot learn it otherwise.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo:rustc-env=STANDPOINT_TARGET={target}");
    println!("cargo:rerun-if-changed=build.rs");
}
