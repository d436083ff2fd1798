//! Embeds the built page: each file of `page/dist` with its type, its digest and, where that is smaller, as gzip.
//! Without that folder the program has no page, and says how to build it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

fn main() {
    let folder =
        Path::new(&std::env::var("CARGO_MANIFEST_DIR").expect("a directory")).join("page/dist");
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("a directory"));
    // A folder that is not there would make cargo run this each time; it is seen when its parent changes.
    let watched = ["page/dist", "page", "."].into_iter().find(|path| Path::new(path).is_dir());
    println!("cargo:rerun-if-changed={}", watched.expect("the folder of this package"));
    let mut files = Vec::new();
    collect(&folder, &mut files);
    files.sort();
    let mut table = String::from("pub static FILES: &[File] = &[\n");
    for (number, path) in files.iter().enumerate() {
        let bytes = fs::read(path).expect("a file of the page");
        let name = path.strip_prefix(&folder).expect("a file below it").to_str().expect("UTF-8");
        let packed = out.join(format!("{number}.gz"));
        let gzip = gzip(&bytes);
        let is_smaller = gzip.len() < bytes.len();
        if is_smaller {
            fs::write(&packed, gzip).expect("a file of the build");
        }
        let gzip =
            if is_smaller { format!("Some(include_bytes!({packed:?}))") } else { "None".into() };
        let digest = blake3::hash(&bytes).to_hex();
        writeln!(
            table,
            "File {{ name: {name:?}, kind: {:?}, digest: {:?}, plain: include_bytes!({path:?}), gzip: {gzip} }},",
            kind(name),
            &digest.as_str()[..32]
        )
        .expect("text");
    }
    table.push_str("];\n");
    fs::write(out.join("files.rs"), table).expect("a file of the build");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    // Without a time, so that equal pages make equal programs.
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    writer.write_all(bytes).expect("memory");
    writer.finish().expect("memory")
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
