//! The thread in which all requests run.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use trips_memory::thread;

/// How often a waiting caller is asked whether it wants to go on.
pub const POLL: Duration = Duration::from_millis(20);

/// A thread with an event loop. Its tasks end when it is dropped.
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// Starts the thread. It inherits the caller's signal mask.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            let _ = runtime.block_on(stopped);
            // A name that is being resolved cannot be cancelled: its thread ends by itself.
            runtime.shutdown_background();
        };
        let thread = thread::start("trips_store", run)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Starts a task. It ends when the guard is dropped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task {
        Task(self.handle.spawn(task).abort_handle())
    }

    /// Runs a task to its end, and polls the caller meanwhile.
    pub fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<T, Nothing> {
        let (sender, receiver) = channel();
        let _task = self.spawn(async move {
            let _ = sender.send(task.await);
        });
        wait(&receiver, go_on)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A task that ends when this is dropped.
#[derive(Debug)]
pub struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why nothing was received.
pub enum Nothing {
    /// The caller does not want to go on.
    Cancelled,
    /// The sender has ended.
    Ended,
}

/// The next value; the caller is polled until it arrives.
pub fn wait<T>(receiver: &Receiver<T>, go_on: &mut dyn FnMut() -> bool) -> Result<T, Nothing> {
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) if go_on() => {}
            Err(RecvTimeoutError::Timeout) => return Err(Nothing::Cancelled),
            Err(RecvTimeoutError::Disconnected) => return Err(Nothing::Ended),
        }
    }
}
