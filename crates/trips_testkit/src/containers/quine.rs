//! Files that unpack to themselves: whoever unpacks what is inside never ends.
//!
//! The data of DEFLATE is a program of two instructions. `L` is followed by bytes that it writes, `R` writes again
//! what was written last. Russ Cox, "Zip files all the way down", has this program; `P` and `S` are what a container
//! has before and behind the data.

/// A gzip file that unpacks to itself.
pub fn gzip() -> Vec<u8> {
    // A name of 4 bytes: the prefix has 15 bytes, and each instruction 5.
    let prefix = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03loop\0";
    let suffix = [END.as_slice(), &[0; 4], &[0; 4]].concat();
    let mut file = program(prefix, &suffix);
    let size = u32::try_from(file.len()).expect("a short file").to_le_bytes();
    let (end, literal) = (file.len(), file.len() - suffix.len() - repeat(suffix.len() + 5).len());
    file[end - 4..].copy_from_slice(&size);
    file[literal - 4..literal].copy_from_slice(&size);
    solve(file, &[end - 8, literal - 8])
}

/// A zip archive whose member is the archive.
pub fn zip() -> Vec<u8> {
    // A prefix of 60 bytes: its repetition has 5.
    let name = b"a-file-that-unpacks-itself.zip";
    let header = [b"\x14\0\0\0\x08\0\0\0\0\x58".as_slice(), &[0; 12], &[30, 0, 0, 0]].concat();
    let prefix = [b"PK\x03\x04".as_slice(), &header, name].concat();
    let entry = [b"PK\x01\x02\x14\x03".as_slice(), &header, &[0; 14], name].concat();
    let tail =
        [b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(), &[76, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let suffix = [END.as_slice(), &entry, &tail].concat();
    let mut file = program(&prefix, &suffix);
    let repeated = repeat(suffix.len() + 5).len();
    let (directory, size) = (file.len() - suffix.len() + END.len(), file.len());
    let sizes = [directory - prefix.len(), size]
        .map(|size| u32::try_from(size).expect("a short file").to_le_bytes());
    let offset = u32::try_from(directory).expect("a short file").to_le_bytes();
    let copy = suffix.len() + repeated;
    let headers = [0, prefix.len() + 5].map(|at| at + 14);
    let entries = [directory, directory - copy].map(|at| at + 16);
    for at in headers.into_iter().chain(entries) {
        file[at + 4..at + 12].copy_from_slice(&sizes.concat());
    }
    for at in [size, size - copy] {
        file[at - 6..at - 2].copy_from_slice(&offset);
    }
    solve(file, &[headers, entries].concat())
}

/// The last block of the data, without bytes.
const END: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// Bytes of an instruction.
const UNIT: usize = 5;

/// Writes this many bytes that follow.
fn literal(bytes: usize) -> Vec<u8> {
    let [a, b] = u16::try_from(bytes).expect("a short literal").to_le_bytes();
    vec![0, a, b, !a, !b]
}

/// Writes the last bytes again, as many as this.
fn repeat(bytes: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0b010, 3);
    match bytes {
        // Two halves, so that the bits fill the instruction.
        ..=20 => {
            bits.copy(bytes / 2, bytes);
            bits.copy(bytes - bytes / 2, bytes);
            bits.put(0, 7);
        }
        _ => {
            bits.copy(bytes, bytes);
            bits.put(0, 7);
            // A block without bytes fills the instruction.
            bits.put(0b010, 3);
            bits.put(0, 7);
        }
    }
    let mut code = bits
        .0
        .chunks(8)
        .map(|byte| byte.iter().rev().fold(0, |sum, &bit| 2 * sum + u8::from(bit)))
        .collect::<Vec<u8>>();
    if bits.0.len() % 8 != 0 {
        // A stored block without bytes begins in the last byte, or in the one behind it.
        if 8 - bits.0.len() % 8 < 3 {
            code.push(0);
        }
        code.extend([0, 0, 0xff, 0xff]);
    }
    code
}

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// The lowest bit first.
    fn put(&mut self, number: usize, count: u32) {
        self.0.extend((0..count).map(|bit| number >> bit & 1 == 1));
    }

    /// A code of Huffman: the highest bit first.
    fn put_code(&mut self, code: usize, count: u32) {
        self.0.extend((0..count).rev().map(|bit| code >> bit & 1 == 1));
    }

    /// Copies bytes from a distance, by the fixed codes.
    fn copy(&mut self, length: usize, distance: usize) {
        let (code, extra, rest) = step(length - 3, 2);
        let code = code + 257;
        if code < 280 {
            self.put_code(code - 256, 7)
        } else {
            self.put_code(code - 280 + 0b1100_0000, 8)
        }
        self.put(rest, extra);
        let (code, extra, rest) = step(distance - 1, 1);
        self.put_code(code, 5);
        self.put(rest, extra);
    }
}

/// The code of a number, its extra bits and their value. Each power of two has two to the `fine` codes.
fn step(number: usize, fine: u32) -> (usize, u32, usize) {
    let group = 1_usize << fine;
    if number < 2 * group {
        return (number, 0, 0);
    }
    let extra = number.ilog2() - fine;
    (group * extra as usize + (number >> extra), extra, number & ((1 << extra) - 1))
}

/// The file that writes the prefix, itself and the suffix.
fn program(prefix: &[u8], suffix: &[u8]) -> Vec<u8> {
    let (l0, l1, l4) = (literal(0), literal(UNIT), literal(4 * UNIT));
    let (r4, rp, rs) = (repeat(4 * UNIT), repeat(prefix.len() + UNIT), repeat(suffix.len() + UNIT));
    let lp = literal(prefix.len() + UNIT);
    // The suffix and its repetition; the last R writes both again.
    let ls = literal(suffix.len() + rs.len());
    assert_eq!((r4.len(), rp.len()), (UNIT, UNIT), "instructions have one size");
    let suffix_repeat = repeat(suffix.len() + rs.len());
    assert_eq!(suffix_repeat.len(), rs.len(), "the repetition writes itself");
    let rs = suffix_repeat;
    let parts: [&[&[u8]]; 9] = [
        &[prefix, &lp, prefix, &lp, &rp],
        &[&l1, &rp, &l1, &l1],
        &[&l4, &rp, &l1, &l1, &l4, &r4],
        &[&l4, &r4, &l4, &r4, &l4, &r4],
        &[&l4, &r4, &l0, &l0, &ls, &r4],
        &[&l0, &l0],
        &[&ls, &rs, suffix],
        &[&rs],
        &[suffix],
    ];
    parts.into_iter().flatten().copied().collect::<Vec<_>>().concat()
}

/// The file with its own checksum at these offsets.
///
/// A checksum is affine in the bits of the file. So the one that a file must have is the solution of 32 equations.
fn solve(mut file: Vec<u8>, offsets: &[usize]) -> Vec<u8> {
    let crc_with = |file: &mut Vec<u8>, crc: u32| {
        offsets.iter().for_each(|&at| file[at..at + 4].copy_from_slice(&crc.to_le_bytes()));
        crc32fast::hash(file)
    };
    let constant = crc_with(&mut file, 0);
    // Row i: the bits of the checksum whose sum is bit i of the constant.
    let columns: Vec<u32> =
        (0..32).map(|bit| crc_with(&mut file, 1 << bit) ^ constant ^ (1 << bit)).collect();
    let mut rows: Vec<(u32, bool)> = (0..32)
        .map(|row| {
            let bits = (0..32)
                .filter(|&bit| columns[bit] >> row & 1 == 1)
                .fold(0, |sum, bit| sum | 1 << bit);
            (bits, constant >> row & 1 == 1)
        })
        .collect();
    let mut crc = 0;
    let mut done = 0;
    for bit in 0..32 {
        let Some(pivot) = (done..32).find(|&row| rows[row].0 >> bit & 1 == 1) else { continue };
        rows.swap(done, pivot);
        let (bits, value) = rows[done];
        for row in (0..32).filter(|&row| row != done) {
            if rows[row].0 >> bit & 1 == 1 {
                rows[row] = (rows[row].0 ^ bits, rows[row].1 ^ value);
            }
        }
        done += 1;
    }
    for &(bits, value) in &rows[..done] {
        if value {
            crc |= 1 << bits.trailing_zeros();
        }
    }
    assert_eq!(crc_with(&mut file, crc), crc, "the equations have a solution");
    file
}
