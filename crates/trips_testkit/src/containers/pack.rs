//! Compressed streams.

use std::io::Write;

use bzip2::write::BzEncoder;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use liblzma::stream::{LzmaOptions, Stream};
use liblzma::write::XzEncoder;
use zstd_safe::{CCtx, CParameter};

/// One member of gzip.
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory")
}

/// Data of DEFLATE. A level of 0 stores the bytes.
pub fn deflate(content: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory")
}

/// One frame of zstd, with its size and a checksum.
pub fn zstd(content: &[u8]) -> Vec<u8> {
    zstd_with(content, &[CParameter::ChecksumFlag(true)])
}

/// One frame of zstd, with these parameters.
pub fn zstd_with(content: &[u8], parameters: &[CParameter]) -> Vec<u8> {
    let mut context = CCtx::create();
    for &parameter in parameters {
        context.set_parameter(parameter).expect("a valid parameter");
    }
    let mut frame = vec![0; zstd_safe::compress_bound(content.len())];
    let size = context.compress2(frame.as_mut_slice(), content).expect("a large enough buffer");
    frame.truncate(size);
    frame
}

/// One stream of bzip2.
pub fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory")
}

/// One stream of xz.
pub fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = XzEncoder::new(Vec::new(), 1);
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory")
}

/// Data of LZMA as in zip, with a mark of its end.
pub fn lzma(content: &[u8]) -> Vec<u8> {
    let options = LzmaOptions::new_preset(1).expect("a preset");
    let stream = Stream::new_lzma_encoder(&options).expect("memory");
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    let file = encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory");
    // The properties are before the size, and the data after it.
    [&[9, 20, 5, 0], &file[..5], &file[13..]].concat()
}

/// A maker of a compressed stream, with its file extension.
pub type Maker = (&'static str, fn(&[u8]) -> Vec<u8>);

/// The formats of streams.
pub const STREAMS: [Maker; 4] = [("gz", gzip), ("zst", zstd), ("bz2", bzip2), ("xz", xz)];

/// Two streams behind each other, cut in the middle of the content.
pub fn in_two(content: &[u8], make: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (first, second) = content.split_at(content.len() / 2);
    [make(first), make(second)].concat()
}
