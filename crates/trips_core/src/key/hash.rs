//! BLAKE3 in its mode `derive_key`: the context separates the schemes, at no cost for a message.
//!
//! A message is padded with zeros to whole blocks of 64 bytes. So messages of equally many blocks are hashed side by
//! side, one in each lane of a vector register. The crate's documented functions hash one message at a time; its
//! platform module is public, but may change in any version. So the version is pinned, and a test compares both.

use blake3::IncrementCounter;
use blake3::hazmat::HasherExt;
use blake3::platform::Platform;

use super::TripKey;

const BLOCK: usize = blake3::BLOCK_LEN;

/// A context of `derive_key`, and the key that BLAKE3 makes of it.
#[derive(Debug)]
pub(super) struct Context {
    #[cfg(test)]
    pub(super) text: &'static str,
    pub(super) key: [u8; blake3::KEY_LEN],
}

#[rustfmt::skip]
impl Context {
    /// The context of content.
    pub(super) const CONTENT: Self = Self {
        #[cfg(test)]
        text: "trips_pipeline 2026 trip_key content",
        key: [
            0xdc, 0x87, 0x82, 0x78, 0x56, 0x44, 0xd4, 0xdf, 0xd7, 0xed, 0xb0, 0x7c, 0xfd, 0x87, 0xe9, 0xf2,
            0x13, 0x91, 0x60, 0x87, 0x6e, 0x9b, 0x3e, 0x9e, 0x02, 0xb9, 0x09, 0x4f, 0x71, 0x0f, 0xc3, 0xc5,
        ],
    };
    /// The context of columns.
    pub(super) const COLUMNS: Self = Self {
        #[cfg(test)]
        text: "trips_pipeline 2026 trip_key columns",
        key: [
            0x5f, 0x3b, 0x21, 0x1a, 0x80, 0x23, 0x87, 0xba, 0x1d, 0x59, 0x60, 0xc0, 0x74, 0x28, 0x08, 0x0c,
            0x3c, 0x0c, 0xcd, 0xfd, 0xbd, 0x99, 0x04, 0xdf, 0xbb, 0x3c, 0x5e, 0x33, 0x0d, 0x4b, 0xb3, 0x61,
        ],
    };
    /// The context of source_id.
    pub(super) const SOURCE_ID: Self = Self {
        #[cfg(test)]
        text: "trips_pipeline 2026 trip_key source_id",
        key: [
            0x2f, 0x8c, 0x91, 0x18, 0xee, 0xc2, 0x83, 0x3f, 0xc7, 0x0d, 0xb7, 0x44, 0x84, 0x69, 0x8c, 0x55,
            0x28, 0x6a, 0xb3, 0x5c, 0x36, 0xed, 0xc8, 0x29, 0x91, 0x96, 0x6f, 0xeb, 0x02, 0x1a, 0x09, 0xa0,
        ],
    };
    /// The context of occurrence.
    pub(super) const OCCURRENCE: Self = Self {
        #[cfg(test)]
        text: "trips_pipeline 2026 trip_key occurrence",
        key: [
            0xb5, 0x3d, 0x1d, 0xe7, 0x53, 0x2b, 0xbc, 0x98, 0x62, 0x07, 0xc6, 0x89, 0xbf, 0xdb, 0x14, 0xf8,
            0xf2, 0x21, 0x9e, 0x28, 0xef, 0xc5, 0x69, 0xa9, 0x92, 0xd0, 0xd4, 0x4a, 0x3a, 0xed, 0xf6, 0x3a,
        ],
    };
}

impl Context {
    /// The key of a message: 16 bytes of its hash.
    #[inline]
    pub(super) fn key(&self, message: &[u8]) -> TripKey {
        let mut hasher = blake3::Hasher::new_from_context_key(&self.key);
        hasher.update(message);
        let padding = message.len().max(1).next_multiple_of(BLOCK) - message.len();
        hasher.update(&[0; BLOCK][..padding]);
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        key
    }
}

/// Messages that are hashed together: the most lanes of a processor.
const LANES: usize = 16;
/// Flags of BLAKE3: a block of a message in the mode `derive_key`, the first block, and the last one of a whole hash.
const DERIVE_KEY_MATERIAL: u8 = 1 << 6;
const CHUNK_START: u8 = 1;
const CHUNK_END_AND_ROOT: u8 = 1 << 1 | 1 << 3;

/// Hashes messages of up to four blocks side by side, and longer ones alone.
#[derive(Debug)]
pub(super) struct SideBySide {
    context: &'static Context,
    words: [u32; 8],
    platform: Platform,
    one: Lanes<64>,
    two: Lanes<128>,
    three: Lanes<192>,
    four: Lanes<256>,
}

/// Padded messages of one length, and what they are for.
#[derive(Debug)]
struct Lanes<const N: usize> {
    messages: [[u8; N]; LANES],
    numbers: [usize; LANES],
    count: usize,
}

impl SideBySide {
    pub(super) fn new(context: &'static Context) -> Self {
        let (words, _) = context.key.as_chunks();
        let words = std::array::from_fn(|i| u32::from_le_bytes(words[i]));
        let platform = Platform::detect();
        let (one, two, three, four) = (Lanes::new(), Lanes::new(), Lanes::new(), Lanes::new());
        Self { context, words, platform, one, two, three, four }
    }

    /// Adds a message. `put` gets the numbers and keys of messages that are hashed.
    #[inline]
    pub(super) fn push(
        &mut self,
        message: &[u8],
        number: usize,
        put: &mut impl FnMut(usize, TripKey),
    ) {
        let hash = (self.platform, &self.words);
        match message.len() {
            0..=64 => self.one.push(message, number, hash, put),
            65..=128 => self.two.push(message, number, hash, put),
            129..=192 => self.three.push(message, number, hash, put),
            193..=256 => self.four.push(message, number, hash, put),
            _ => put(number, self.context.key(message)),
        }
    }

    /// Hashes the messages that are left.
    pub(super) fn finish(&mut self, put: &mut impl FnMut(usize, TripKey)) {
        let hash = (self.platform, &self.words);
        self.one.hash(hash, put);
        self.two.hash(hash, put);
        self.three.hash(hash, put);
        self.four.hash(hash, put);
    }
}

impl<const N: usize> Lanes<N> {
    fn new() -> Self {
        Self { messages: [[0; N]; LANES], numbers: [0; LANES], count: 0 }
    }

    #[inline]
    fn push(
        &mut self,
        message: &[u8],
        number: usize,
        hash: (Platform, &[u32; 8]),
        put: &mut impl FnMut(usize, TripKey),
    ) {
        let padded = &mut self.messages[self.count];
        // The padding is a part of the last block: a fill of a known length is no call.
        padded[N - BLOCK..].fill(0);
        padded[..message.len()].copy_from_slice(message);
        self.numbers[self.count] = number;
        self.count += 1;
        if self.count == LANES {
            self.hash(hash, put);
        }
    }

    fn hash(
        &mut self,
        (platform, words): (Platform, &[u32; 8]),
        put: &mut impl FnMut(usize, TripKey),
    ) {
        let mut hashes = [0; LANES * blake3::OUT_LEN];
        let messages: [&[u8; N]; LANES] = self.messages.each_ref();
        let (first, last) = (CHUNK_START, CHUNK_END_AND_ROOT);
        platform.hash_many(
            &messages[..self.count],
            words,
            0,
            IncrementCounter::No,
            DERIVE_KEY_MATERIAL,
            first,
            last,
            &mut hashes,
        );
        let hashes = hashes.as_chunks::<{ blake3::OUT_LEN }>().0;
        for (&number, hash) in self.numbers[..self.count].iter().zip(hashes) {
            put(number, hash.first_chunk().copied().unwrap_or_default());
        }
        self.count = 0;
    }
}
