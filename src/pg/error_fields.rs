//! Keeps the fields of PostgreSQL's errors that pgrx loses.
//!
//! pgrx turns an ERROR of C code into a panic with message, DETAIL, HINT, location and, if it knows it, the SQLSTATE.
//! It raises the error again when the panic leaves Rust. An unknown SQLSTATE becomes XX000. CONTEXT, the names of
//! constraint, table, column and data type, and the internal query are lost.
//!
//! So each function that PostgreSQL calls pushes a callback on `error_context_stack`. PostgreSQL calls it for every
//! error below: it copies the error. The callback stays while a panic unwinds. When pgrx raises the error again,
//! PostgreSQL calls it again: it sets the missing fields. The code that catches the error restores the stack.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};

use super::session::sqlstate_of_number;

/// Errors that a function keeps. Most of them were caught: code that runs meanwhile may raise and catch others.
const MAX_STORED: usize = 8;
/// Only the newest error may be larger, bytes.
const SMALL: usize = 64 * 1024;
/// The function name in the location of an error that the extension raises itself.
pub const RAISED_BY: &str = "trips_pipeline";
/// Longest field that the ledger keeps, bytes.
const LONGEST_FIELD: usize = 4000;

// SAFETY: as in elog.h; pgrx does not bind them.
unsafe extern "C-unwind" {
    fn errcode(sqlerrcode: c_int) -> c_int;
    fn errmsg_internal(fmt: *const c_char, ...) -> c_int;
    fn errdetail_internal(fmt: *const c_char, ...) -> c_int;
    fn errdetail_log(fmt: *const c_char, ...) -> c_int;
    fn errhint(fmt: *const c_char, ...) -> c_int;
    fn errcontext_msg(fmt: *const c_char, ...) -> c_int;
}

/// A function that PostgreSQL has called: the callback, and the errors that were raised below it, newest first.
#[repr(C)]
struct ErrorLevel {
    callback: pg_sys::ErrorContextCallback,
    memory: pg_sys::MemoryContext,
    errors: [*mut pg_sys::ErrorData; MAX_STORED],
}

/// Errors of PostgreSQL pass the function that has this in full.
#[must_use = "errors are preserved while this lives"]
pub struct Preserved {
    level: NonNull<ErrorLevel>,
    was_panicking: bool,
}

/// Errors that leave the function keep their fields; the function calls this first. PostgreSQL has called the function,
/// so the current memory context lives until it returns or its error has been reported.
pub fn preserve() -> Preserved {
    // SAFETY: reads a variable of the backend.
    Preserved::push(unsafe { pg_sys::CurrentMemoryContext })
}

/// The same for code that catches the errors itself, and begins and ends transactions.
pub fn preserve_beyond_transactions() -> Preserved {
    // SAFETY: as above.
    Preserved::push(unsafe { pg_sys::TopMemoryContext })
}

impl Preserved {
    fn push(memory: pg_sys::MemoryContext) -> Self {
        // SAFETY: the memory has the level's size and does not move; zeroes are a valid level. The callback is on the
        // stack until `drop` removes it, or PostgreSQL does when it catches an error. The memory lives longer.
        unsafe {
            let size = size_of::<ErrorLevel>();
            let level = pg_sys::MemoryContextAllocZero(memory, size).cast::<ErrorLevel>();
            (*level).memory = memory;
            (*level).callback = pg_sys::ErrorContextCallback {
                previous: pg_sys::error_context_stack,
                callback: Some(at_error),
                arg: level.cast(),
            };
            pg_sys::error_context_stack = level.cast();
            let level = NonNull::new_unchecked(level);
            Self { level, was_panicking: std::thread::panicking() }
        }
    }
}

impl Drop for Preserved {
    fn drop(&mut self) {
        // An error passes through: pgrx raises it again, and the callback must still be on the stack.
        if std::thread::panicking() && !self.was_panicking {
            return;
        }
        let level = self.level.as_ptr();
        // SAFETY: the level exists. Callbacks that others have pushed above it are theirs to remove, or were left by an
        // error.
        unsafe {
            pg_sys::error_context_stack = (*level).callback.previous;
            for error in (*level).errors {
                free(error);
            }
            pg_sys::pfree(level.cast());
        }
    }
}

/// PostgreSQL calls this for every message below, from the innermost callback to the outermost.
#[pg_guard]
unsafe extern "C-unwind" fn at_error(level: *mut c_void) {
    // SAFETY: the argument is the level, which exists as long as its callback is on the stack. PostgreSQL is about to
    // report a message. CopyErrorData copies it; its location is freed with the message and is copied, too.
    unsafe {
        let level = level.cast::<ErrorLevel>();
        let before = pg_sys::MemoryContextSwitchTo((*level).memory);
        let error = pg_sys::CopyErrorData();
        (*error).filename = copy_of((*error).filename);
        (*error).funcname = copy_of((*error).funcname);
        pg_sys::MemoryContextSwitchTo(before);
        if (*error).elevel != pg_sys::PGERROR.cast_signed() {
            free(error);
            return;
        }
        // No other callback is above Rust code: the error is raised by pgrx, or by C code without a callback of its
        // own.
        let is_of_rust = pg_sys::error_context_stack.cast() == level;
        let errors = &mut (*level).errors;
        let same = |&&known: &&*mut pg_sys::ErrorData| is_same(known, error);
        match errors.iter().find(same).copied().filter(|_| is_of_rust && has_lost_fields(error)) {
            Some(known) => {
                restore_fields(&*known, &*error);
                free(error);
            }
            None => store(errors, error),
        }
    }
}

/// Puts an error before the others.
///
/// # Safety
/// All are errors that [`at_error`] has copied, or NULL.
unsafe fn store(errors: &mut [*mut pg_sys::ErrorData; MAX_STORED], new: *mut pg_sys::ErrorData) {
    errors.rotate_right(1);
    // SAFETY: the caller passes errors that `at_error` has copied, or NULL ("# Safety").
    unsafe {
        free(std::mem::replace(&mut errors[0], new));
        for older in &mut errors[1..] {
            if size_of_error(*older) > SMALL {
                free(std::mem::replace(older, ptr::null_mut()));
            }
        }
    }
}

/// Frees an error.
///
/// # Safety
/// It is a copy of [`at_error`], or NULL, and is not used again.
unsafe fn free(error: *mut pg_sys::ErrorData) {
    if error.is_null() {
        return;
    }
    // SAFETY: the caller passes a copy that is not used again ("# Safety"); the names of its location are copies of ours.
    unsafe {
        for name in [(*error).filename, (*error).funcname] {
            if !name.is_null() {
                pg_sys::pfree(name.cast_mut().cast());
            }
        }
        pg_sys::FreeErrorData(error);
    }
}

/// # Safety
/// The text is a C string, or NULL.
unsafe fn copy_of(text: *const c_char) -> *const c_char {
    // SAFETY: the caller passes a C string; NULL is checked.
    if text.is_null() { text } else { unsafe { pg_sys::pstrdup(text) } }
}

/// # Safety
/// The text is a C string, or NULL, and lives as long as it is looked at.
unsafe fn bytes<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller passes a C string, which lives as long as the result; NULL is checked.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// # Safety
/// An error that [`at_error`] has copied, or NULL.
unsafe fn size_of_error(error: *const pg_sys::ErrorData) -> usize {
    // SAFETY: the caller passes an error that `at_error` has copied, or NULL ("# Safety").
    let Some(error) = (unsafe { error.as_ref() }) else { return 0 };
    let texts = [
        error.message,
        error.detail,
        error.detail_log,
        error.hint,
        error.context,
        error.backtrace,
        error.internalquery,
    ];
    // SAFETY: as above.
    texts.into_iter().filter_map(|text| unsafe { bytes(text) }).map(<[u8]>::len).sum()
}

/// Whether an error has no field that pgrx loses.
///
/// # Safety
/// An error that [`at_error`] has copied.
unsafe fn has_lost_fields(error: *const pg_sys::ErrorData) -> bool {
    // SAFETY: the caller passes an error that `at_error` has copied ("# Safety").
    let error = unsafe { &*error };
    let texts = [
        error.context,
        error.schema_name,
        error.table_name,
        error.column_name,
        error.datatype_name,
        error.constraint_name,
        error.internalquery,
    ];
    texts.into_iter().all(|text| text.is_null())
}

/// Whether pgrx has made the second error of the first: it keeps message and location, and the code if it knows it.
///
/// # Safety
/// Errors that [`at_error`] has copied, or NULL.
unsafe fn is_same(known: *const pg_sys::ErrorData, error: *const pg_sys::ErrorData) -> bool {
    // SAFETY: the caller passes errors that `at_error` has copied, or NULL ("# Safety"): their texts are C strings or NULL.
    let (Some(known), Some(error)) = (unsafe { (known.as_ref(), error.as_ref()) }) else {
        return false;
    };
    // SAFETY: the caller passes errors that `at_error` has copied, or NULL ("# Safety"): their texts are C strings or NULL.
    let [file, function, message] =
        [known.filename, known.funcname, known.message].map(|text| unsafe { bytes(text) });
    // SAFETY: the caller passes errors that `at_error` has copied, or NULL ("# Safety"): their texts are C strings or NULL.
    let [its_file, its_function, its_message] =
        [error.filename, error.funcname, error.message].map(|text| unsafe { bytes(text) });
    code_of_pgrx(known.sqlerrcode) == error.sqlerrcode
        && known.lineno == error.lineno
        && (file == its_file || file.is_none())
        && (function == its_function || function.is_none())
        && (message == its_message || message.is_none_or(|text| str::from_utf8(text).is_err()))
}

fn code_of_pgrx(code: c_int) -> c_int {
    PgSqlErrorCode::from(code) as c_int
}

/// Sets the fields that `error`, which is being reported now, lacks and `known` has.
///
/// # Safety
/// PostgreSQL is reporting `error`; both are copies of [`at_error`].
unsafe fn restore_fields(known: &pg_sys::ErrorData, error: &pg_sys::ErrorData) {
    const TEXT: *const c_char = c"%s".as_ptr();
    let names = [
        (pg_sys::PG_DIAG_SCHEMA_NAME, known.schema_name),
        (pg_sys::PG_DIAG_TABLE_NAME, known.table_name),
        (pg_sys::PG_DIAG_COLUMN_NAME, known.column_name),
        (pg_sys::PG_DIAG_DATATYPE_NAME, known.datatype_name),
        (pg_sys::PG_DIAG_CONSTRAINT_NAME, known.constraint_name),
    ];
    // SAFETY: texts of the copy are C strings or NULL; each function copies its argument into the error that is being
    // reported. The closures, which C code may leave by an error, have no value with a destructor.
    unsafe {
        pg_sys::ffi::pg_guard_ffi_boundary(|| errcode(known.sqlerrcode));
        for (field, name) in names {
            if !name.is_null() {
                pg_sys::err_generic_string(c_int::from(field), name);
            }
        }
        // pgrx has converted them to UTF-8, from the encoding of the database.
        let differs = |a: *mut c_char, b| !a.is_null() && bytes(a) != bytes(b);
        if differs(known.message, error.message) {
            pg_sys::ffi::pg_guard_ffi_boundary(|| errmsg_internal(TEXT, known.message));
        }
        if differs(known.detail, error.detail) {
            pg_sys::ffi::pg_guard_ffi_boundary(|| errdetail_internal(TEXT, known.detail));
        }
        if differs(known.hint, error.hint) {
            pg_sys::ffi::pg_guard_ffi_boundary(|| errhint(TEXT, known.hint));
        }
        if !known.detail_log.is_null() {
            pg_sys::ffi::pg_guard_ffi_boundary(|| errdetail_log(TEXT, known.detail_log));
        }
        if !known.context.is_null() {
            pg_sys::ffi::pg_guard_ffi_boundary(|| errcontext_msg(TEXT, known.context));
        }
        if !known.internalquery.is_null() {
            pg_sys::internalerrquery(known.internalquery);
        }
        pg_sys::internalerrposition(known.internalpos);
        pg_sys::errposition(known.cursorpos);
        pg_sys::errhidestmt(known.hide_stmt);
        pg_sys::errhidecontext(known.hide_ctx);
    }
}

/// An error as it was raised: its fields for users, each shortened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught {
    /// The extension raised it itself, or panicked: its message may repeat contents of the file.
    pub is_ours: bool,
    /// SQLSTATE.
    pub code: String,
    /// Its primary message.
    pub message: String,
    /// DETAIL.
    pub detail: Option<String>,
    /// HINT.
    pub hint: Option<String>,
    /// CONTEXT, as far as the function that caught the error knows it.
    pub context: Option<String>,
    /// Schema of the object that it is about.
    pub schema_name: Option<String>,
    /// Table that it is about.
    pub table_name: Option<String>,
    /// Column that it is about.
    pub column_name: Option<String>,
    /// Data type that it is about.
    pub datatype_name: Option<String>,
    /// Constraint that it is about.
    pub constraint_name: Option<String>,
}

impl Caught {
    /// The caught error. The calling function, or one that called it, preserves errors.
    pub fn of(cause: &CaughtError) -> Self {
        let (CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. }) = cause;
        let text = |text: &str| cut(text.to_owned());
        let is_panic = matches!(cause, CaughtError::RustPanic { .. });
        let of_pgrx = Self {
            is_ours: is_panic || report.function_name() == Some(RAISED_BY),
            code: sqlstate_of_number(report.sql_error_code() as c_int),
            message: text(report.message()),
            detail: report.detail().map(text),
            hint: report.hint().map(text),
            ..Self::default()
        };
        let known = innermost().and_then(|level| {
            let is_it = |known: &pg_sys::ErrorData| {
                let line = u32::try_from(known.lineno) == Ok(report.line_number());
                // SAFETY: the message of a copy is a C string or NULL.
                let message = unsafe { bytes(known.message) }.map(String::from_utf8_lossy);
                line && code_of_pgrx(known.sqlerrcode) == report.sql_error_code() as c_int
                    && message.is_none_or(|message| message == report.message())
            };
            // SAFETY: the level is on the stack, and its errors are copies or NULL.
            unsafe {
                level.as_ref().errors.iter().filter_map(|error| error.as_ref()).find(|e| is_it(e))
            }
        });
        match known {
            Some(known) => of_pgrx.with(known),
            None => of_pgrx,
        }
    }

    fn with(self, known: &pg_sys::ErrorData) -> Self {
        // SAFETY: texts of a copy are C strings or NULL.
        let text = |text| unsafe { bytes(text) }.map(|b| cut(String::from_utf8_lossy(b).into()));
        Self {
            code: sqlstate_of_number(known.sqlerrcode),
            context: text(known.context),
            schema_name: text(known.schema_name),
            table_name: text(known.table_name),
            column_name: text(known.column_name),
            datatype_name: text(known.datatype_name),
            constraint_name: text(known.constraint_name),
            ..self
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_FIELD {
        text.truncate(text.floor_char_boundary(LONGEST_FIELD));
        text.push('…');
    }
    text
}

/// The innermost function that preserves errors.
fn innermost() -> Option<NonNull<ErrorLevel>> {
    // SAFETY: entries of the stack exist; our callback always belongs to a level.
    unsafe {
        let mut entry = pg_sys::error_context_stack;
        while let Some(callback) = entry.as_ref() {
            if callback.callback.is_some_and(|function| {
                ptr::fn_addr_eq(function, at_error as unsafe extern "C-unwind" fn(*mut c_void))
            }) {
                return NonNull::new(entry.cast());
            }
            entry = callback.previous;
        }
        None
    }
}
