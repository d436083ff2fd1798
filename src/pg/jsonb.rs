//! Arguments of type jsonb, as JSON text.
//!
//! pgrx's own type parses the text, and panics if it is nested more than 128 levels deep.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::{FromDatum, direct_function_call, pg_sys};

/// The text of a jsonb argument, in the encoding of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonbText(pub Vec<u8>);

impl FromDatum for JsonbText {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: our caller promises a datum of type jsonb. The text is copied before its memory is freed.
        unsafe {
            let text = direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)])?;
            let bytes = text.to_bytes().to_vec();
            pg_sys::pfree(text.as_ptr().cast_mut().cast());
            Some(Self(bytes))
        }
    }
}

// SAFETY: SQL declares such an argument as jsonb, which `signatures::` checks.
unsafe impl<'fcx> ArgAbi<'fcx> for JsonbText {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the argument is a jsonb, which is not NULL: functions take an Option.
        unsafe { arg.unbox_arg_using_from_datum() }.expect("an argument that is not NULL")
    }
}

pgrx::pgrx_sql_entity_graph::impl_sql_translatable!(JsonbText, "jsonb");
