//! How long calls wait, and when they try again.

use std::time::Duration;

use tokio::time::Instant;

/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How long calls wait, and how much they read at once.
#[derive(Debug, Clone)]
pub struct Options {
    /// Time for a connection.
    pub connect: Duration,
    /// Time without a byte after which a request is sent again.
    pub stall: Duration,
    /// Time without progress after which a call fails.
    pub patience: Duration,
    /// The pause after the first failure; each further one is twice as long, up to 5 seconds.
    pub pause: Duration,
    /// Bytes that one request asks for.
    pub range: u64,
    /// Ranges in memory: one that is read, the others requested ahead.
    pub ranges: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(20),
            patience: Duration::from_secs(120),
            pause: Duration::from_millis(100),
            range: 8 * 1024 * 1024,
            ranges: 3,
        }
    }
}

/// The attempts of one call.
pub struct Attempts {
    patience: Duration,
    first: Duration,
    next: Duration,
    progress: Instant,
}

impl Attempts {
    /// Before the first attempt.
    pub fn new(options: &Options) -> Self {
        let (patience, first) = (options.patience, options.pause);
        Self { patience, first, next: first, progress: Instant::now() }
    }

    /// An attempt brought something: the next failure is a first one.
    pub fn progressed(&mut self) {
        self.next = self.first;
        self.progress = Instant::now();
    }

    /// Pauses before another attempt; `false` if there is none.
    pub async fn pause(&mut self) -> bool {
        if self.progress.elapsed() + self.next > self.patience {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(MAX_PAUSE);
        true
    }
}
