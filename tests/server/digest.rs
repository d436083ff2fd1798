//! The digest in the ledger is of the bytes that were loaded, whoever writes to the file, and however.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::thread;

use trips_testkit::containers::zip::{Entry, with_comment};
use trips_tests::{Database, FIVE_COLUMNS, Load, digest, eventually, server_error, trip_line};

/// A file that is written through memory: its pages are dirty, so its times stay as they are.
struct Mapping {
    file: File,
    address: *mut libc::c_void,
    length: usize,
}

impl Mapping {
    fn of(path: &str) -> Self {
        let file = File::options().read(true).write(true).open(path).expect("a file");
        let length = usize::try_from(file.metadata().expect("a file").len()).expect("a size");
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a mapping of its own of a file that is open and has so many bytes.
        let address = unsafe {
            libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(address, libc::MAP_FAILED);
        Self { file, address, length }
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.length);
        // SAFETY: within the mapping, as asserted; nobody has a reference into it.
        unsafe {
            self.address.cast::<u8>().add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
    }

    fn changed_at(&self) -> (i64, i64) {
        let found = self.file.metadata().expect("a file");
        (found.ctime(), found.ctime_nsec())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping that `of` has made.
        unsafe { libc::munmap(self.address, self.length) };
    }
}

/// Waits until a session waits for the history.
fn wait_for_waiting(database: &Database) {
    let query = "SELECT phase FROM trips.load_progress WHERE phase = 'waiting'";
    eventually(&mut database.client(), query, "waiting");
}

/// A file of a size that the ledger knows is hashed, waits, and is changed without a new time.
#[test]
fn bytes_that_change_while_a_load_waits_are_not_loaded() {
    let database = Database::on_shared();
    let mut client = database.client();
    let content = |region: &str| format!("{FIVE_COLUMNS}{}", trip_line(region, 1));
    database.ingest(&mut client, &database.file("same size.csv", content("VerNil")));
    let other =
        database.file("other.csv", format!("{FIVE_COLUMNS}{}", trip_line("Another region", 2)));
    let path = database.file("written.csv", content("VerNix"));
    let at = FIVE_COLUMNS.len();
    for call in ["trips.ingest($1)", "trips.stage($1)"] {
        let mapping = Mapping::of(&path);
        mapping.write(at, b"VerOne");
        let changed_at = mapping.changed_at();
        let mut holder = database.client();
        let mut holding = holder.transaction().unwrap();
        holding.query_one("SELECT trips.ingest($1, force => true)", &[&other]).unwrap();
        let error = thread::scope(|scope| {
            let load = scope.spawn(|| {
                database.client().query_one(&format!("SELECT * FROM {call}"), &[&path]).map(|_| ())
            });
            wait_for_waiting(&database);
            mapping.write(at, b"VerTwo");
            assert_eq!(mapping.changed_at(), changed_at, "the kernel has reported the change");
            holding.commit().unwrap();
            load.join().unwrap().expect_err("the bytes were hashed before they changed")
        });
        let (code, message, _) = server_error(&error);
        assert_eq!(code, "55006", "{message}");
        assert!(message.contains("changed while it was read"), "{message}");
    }
    let regions: i64 = client
        .query_one("SELECT count(*) FROM trips.hist_trip_data WHERE region LIKE 'Ver%'", &[])
        .unwrap()
        .get(0);
    assert_eq!(regions, 1);
    // Both versions are new to the ledger, and each digest is of what was loaded.
    let (one, two) = (database.file("one.csv", content("VerOne")), path);
    for (path, region) in [(one, "VerOne"), (two, "VerTwo")] {
        let row = client.query_one("SELECT * FROM trips.ingest($1)", &[&path]).unwrap();
        assert_eq!(Load::from_row(&row).summary(), ("loaded", [1, 1, 0, 0]), "{region}");
        assert_eq!(row.get::<_, Vec<u8>>("digest"), digest(content(region).as_bytes()));
    }
}

/// An archive is read at offsets: it is hashed before and after. A changed comment of it changes no member.
#[test]
fn an_archive_that_changes_while_its_load_waits_is_not_loaded() {
    let database = Database::on_shared();
    let content = format!("{FIVE_COLUMNS}{}", trip_line("Archived", 1));
    let archive =
        |comment: &str| with_comment(&[Entry::new("trips.csv", &content)], comment.as_bytes());
    // A load of the same size makes the next one hash its file before it waits.
    let mut client = database.client();
    database.ingest(&mut client, &database.file("same size.zip", archive("zero")));
    let other = database.file("other.csv", format!("{FIVE_COLUMNS}{}", trip_line("Other", 2)));
    let bytes = archive("one.");
    let path = database.file("written.zip", &bytes);
    let mapping = Mapping::of(&path);
    let at = bytes.len() - "one.".len();
    mapping.write(at, b"two.");
    let changed_at = mapping.changed_at();
    let mut holder = database.client();
    let mut holding = holder.transaction().unwrap();
    holding.query_one("SELECT trips.ingest($1)", &[&other]).unwrap();
    let error = thread::scope(|scope| {
        let load = scope
            .spawn(|| database.client().query_one("SELECT trips.ingest($1)", &[&path]).map(|_| ()));
        wait_for_waiting(&database);
        mapping.write(at, b"six.");
        assert_eq!(mapping.changed_at(), changed_at, "the kernel has reported the change");
        holding.commit().unwrap();
        load.join().unwrap().expect_err("the bytes were hashed before they changed")
    });
    let (code, message, _) = server_error(&error);
    assert_eq!(code, "55006", "{message}");
    let row = client.query_one("SELECT * FROM trips.ingest($1)", &[&path]).unwrap();
    assert_eq!(Load::from_row(&row).summary(), ("loaded", [1, 0, 1, 0]));
    assert_eq!(row.get::<_, Vec<u8>>("digest"), digest(&archive("six.")));
}
