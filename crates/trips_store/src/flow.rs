//! A bounded channel from the thread of the requests to a caller that polls.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Makes a channel for this number of values, counting the one that the receiver uses.
pub fn flow<T>(values: usize) -> (Entry<T>, Receiver<Sent<T>>) {
    let (sender, receiver) = channel();
    (Entry { sender, room: Arc::new(Semaphore::new(values)) }, receiver)
}

/// The entry of the channel.
#[derive(Debug)]
pub struct Entry<T> {
    sender: Sender<Sent<T>>,
    room: Arc<Semaphore>,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), room: self.room.clone() }
    }
}

/// Room for one value. It is free again when the value is dropped.
#[derive(Debug)]
pub struct Room(#[expect(dead_code, reason = "it is dropped")] Option<OwnedSemaphorePermit>);

/// A value in the channel, with its room.
#[derive(Debug)]
pub struct Sent<T> {
    pub value: T,
    #[expect(dead_code, reason = "it is dropped with the value")]
    room: Room,
}

impl<T> Entry<T> {
    /// Waits until there is room for one more value.
    pub async fn room(&self) -> Room {
        Room(self.room.clone().acquire_owned().await.ok())
    }

    /// Sends a value into its room; `false` if nobody receives any more.
    pub fn send(&self, value: T, room: Room) -> bool {
        self.sender.send(Sent { value, room }).is_ok()
    }
}
