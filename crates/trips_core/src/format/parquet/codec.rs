//! Uncompresses a page to exactly its declared size.

use std::io::Read;

use parquet::basic::Compression;

use super::fault::ParquetFault;

/// The bytes of a page, of which `size` is its declared size. The caller has checked `size`.
pub(super) fn uncompress(
    codec: Compression,
    input: &[u8],
    size: usize,
) -> Result<Vec<u8>, ParquetFault> {
    let mut out = Vec::new();
    out.try_reserve_exact(size).map_err(ParquetFault::no_memory)?;
    let count = match codec {
        Compression::UNCOMPRESSED => {
            out.extend_from_slice(input.get(..size).unwrap_or(input));
            input.len()
        }
        Compression::SNAPPY => snappy(input, size, &mut out)?,
        Compression::GZIP(_) => read(flate2::bufread::MultiGzDecoder::new(input), size, &mut out)?,
        Compression::BROTLI(_) => {
            read(brotli_decompressor::Decompressor::new(input, 4096), size, &mut out)?
        }
        Compression::ZSTD(_) => zstd(input, size, &mut out)?,
        Compression::LZ4_RAW => lz4_block(input, size, &mut out)?,
        Compression::LZ4 => match lz4_hadoop(input, size, &mut out) {
            Some(count) => count,
            None => lz4_block(input, size, &mut out)?,
        },
        Compression::LZO => {
            return Err(ParquetFault::unsupported("pages compressed by LZO are not read"));
        }
    };
    if count != size || out.len() != size {
        let reason = format!("a page has {count} bytes uncompressed; its header says {size}");
        return Err(ParquetFault::damaged(reason));
    }
    Ok(out)
}

fn damaged(error: impl std::fmt::Display) -> ParquetFault {
    ParquetFault::damaged(format!("a page cannot be uncompressed: {error}"))
}

/// Reads at most one byte more than `size`, so that a longer page is noticed.
fn read(decoder: impl Read, size: usize, out: &mut Vec<u8>) -> Result<usize, ParquetFault> {
    decoder.take(size as u64 + 1).read_to_end(out).map_err(damaged)
}

fn snappy(input: &[u8], size: usize, out: &mut Vec<u8>) -> Result<usize, ParquetFault> {
    let length = snap::raw::decompress_len(input).map_err(damaged)?;
    if length != size {
        return Ok(length);
    }
    out.resize(size, 0);
    snap::raw::Decoder::new().decompress(input, out).map_err(damaged)
}

fn zstd(input: &[u8], size: usize, out: &mut Vec<u8>) -> Result<usize, ParquetFault> {
    // The function allocates nothing and writes no more than this.
    out.resize(size, 0);
    zstd_safe::decompress(&mut out[..], input)
        .map_err(|code| damaged(zstd_safe::get_error_name(code)))
}

fn lz4_block(input: &[u8], size: usize, out: &mut Vec<u8>) -> Result<usize, ParquetFault> {
    out.clear();
    out.resize(size, 0);
    lz4_flex::block::decompress_into(input, out).map_err(damaged)
}

/// Hadoop's frames: two sizes in big-endian before each block. None if the input is not such frames.
fn lz4_hadoop(mut input: &[u8], size: usize, out: &mut Vec<u8>) -> Option<usize> {
    out.resize(size, 0);
    let mut at = 0_usize;
    while !input.is_empty() {
        let (sizes, rest) = input.split_first_chunk::<8>()?;
        let [a, b, c, d, e, f, g, h] = *sizes;
        let unpacked = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        let packed = usize::try_from(u32::from_be_bytes([e, f, g, h])).ok()?;
        let (block, behind) = rest.split_at_checked(packed)?;
        let room = out.get_mut(at..at.checked_add(unpacked)?)?;
        if lz4_flex::block::decompress_into(block, room).ok()? != unpacked {
            return None;
        }
        at += unpacked;
        input = behind;
    }
    (at == size).then_some(size)
}
