//! The transition tables of the trigger that calls us: the rows that its statement has changed.

use std::ffi::CStr;

use pgrx::{PgTrigger, pg_sys};

/// The names of the transition tables of a trigger, quoted as SQL needs them: the new rows, then the old ones.
pub fn names(trigger: &PgTrigger<'_>) -> Vec<String> {
    let definition = trigger.trigger();
    let names = [definition.tgnewtable, definition.tgoldtable];
    let quoted = |name: *mut std::ffi::c_char| {
        // SAFETY: the names are C strings of the trigger's definition; the result is one in the current memory context.
        let name = unsafe { CStr::from_ptr(pg_sys::quote_identifier(name)) };
        name.to_string_lossy().into_owned()
    };
    names.into_iter().filter(|name| !name.is_null()).map(quoted).collect()
}
