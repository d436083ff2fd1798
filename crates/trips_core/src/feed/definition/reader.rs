//! A JSON value with its path, and the list of its faults.

use serde_json::{Map, Value};

use super::DefinitionError;
use crate::text::escape::quoted;

/// The most faults that are collected.
const MAX_ERRORS: usize = 100;

/// The faults of a document.
#[derive(Default)]
pub(super) struct Errors(Vec<DefinitionError>);

impl Errors {
    /// Adds a fault, up to 100.
    pub(super) fn add(&mut self, path: String, found: String, expected: &'static str) {
        if self.0.len() < MAX_ERRORS {
            self.0.push(DefinitionError { path, found, expected });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_vec(self) -> Vec<DefinitionError> {
        self.0
    }
}

/// A value of the document, or the lack of one, with its path.
#[derive(Clone)]
pub(super) struct Node<'v> {
    pub(super) path: String,
    value: Option<&'v Value>,
}

/// The members that an object may have, as a list and as text.
pub(super) struct Members {
    pub(super) names: &'static [&'static str],
    pub(super) expected: &'static str,
}

impl<'v> Node<'v> {
    pub(super) fn root(value: &'v Value) -> Self {
        Self { path: "$".into(), value: Some(value) }
    }

    /// Whether the document has this value.
    pub(super) fn exists(&self) -> bool {
        self.value.is_some()
    }

    /// Adds a fault of this value.
    pub(super) fn fault(&self, expected: &'static str, errors: &mut Errors) {
        errors.add(self.path.clone(), shown(self.value), expected);
    }

    /// A member of an object. It may be missing, also because this is no object.
    pub(super) fn member(&self, name: &str) -> Self {
        let value = self.value.and_then(Value::as_object).and_then(|object| object.get(name));
        Self { path: member_path(&self.path, name), value }
    }

    /// This object, after a check that it has no member but these. None, with a fault, if it is no object.
    pub(super) fn object(&self, members: &Members, errors: &mut Errors) -> Option<()> {
        let object = self.map("an object", errors)?;
        for name in object.keys().filter(|name| !members.names.contains(&name.as_str())) {
            errors.add(member_path(&self.path, name), "an unknown member".into(), members.expected);
        }
        Some(())
    }

    /// The members of an object with names of the user.
    pub(super) fn map(
        &self,
        expected: &'static str,
        errors: &mut Errors,
    ) -> Option<&'v Map<String, Value>> {
        match self.value.and_then(Value::as_object) {
            None => {
                self.fault(expected, errors);
                None
            }
            found => found,
        }
    }

    /// The items of an array with a number of items in the range.
    pub(super) fn items(
        &self,
        (least, most): (usize, usize),
        expected: &'static str,
        errors: &mut Errors,
    ) -> Vec<Self> {
        match self.value.and_then(Value::as_array) {
            Some(items) if (least..=most).contains(&items.len()) => {
                let node =
                    |(at, value)| Self { path: format!("{}[{at}]", self.path), value: Some(value) };
                items.iter().enumerate().map(node).collect()
            }
            _ => {
                self.fault(expected, errors);
                Vec::new()
            }
        }
    }

    /// A text that passes the check; None, with a fault, otherwise.
    pub(super) fn text(
        &self,
        is_valid: impl Fn(&str) -> bool,
        expected: &'static str,
        errors: &mut Errors,
    ) -> Option<&'v str> {
        let text = self.value.and_then(Value::as_str).filter(|text| is_valid(text));
        if text.is_none() {
            self.fault(expected, errors);
        }
        text
    }

    /// One of the words, or the default if the value is missing.
    pub(super) fn word<T: Copy>(
        &self,
        words: &[(&str, T)],
        default: T,
        expected: &'static str,
        errors: &mut Errors,
    ) -> T {
        match self.value {
            None => default,
            Some(value) => {
                let word = words.iter().find(|(word, _)| value.as_str() == Some(*word));
                word.map_or_else(
                    || {
                        self.fault(expected, errors);
                        default
                    },
                    |(_, meaning)| *meaning,
                )
            }
        }
    }

    /// A truth value, or the default if the value is missing.
    pub(super) fn bool_or(&self, default: bool, errors: &mut Errors) -> bool {
        match self.value {
            None => default,
            Some(Value::Bool(value)) => *value,
            Some(_) => {
                self.fault("true or false", errors);
                default
            }
        }
    }

    /// A number that passes the check; None, with a fault, otherwise.
    pub(super) fn number(
        &self,
        is_valid: impl Fn(f64) -> bool,
        expected: &'static str,
        errors: &mut Errors,
    ) -> Option<f64> {
        let number = self.value.and_then(Value::as_f64).filter(|number| is_valid(*number));
        if number.is_none() {
            self.fault(expected, errors);
        }
        number
    }

    /// A whole number in the range, or the default if the value is missing.
    pub(super) fn whole_or(
        &self,
        default: Option<u16>,
        (least, most): (u16, u16),
        expected: &'static str,
        errors: &mut Errors,
    ) -> Option<u16> {
        let Some(value) = self.value else { return default };
        let whole = value.as_u64().and_then(|whole| u16::try_from(whole).ok());
        let whole = whole.filter(|whole| (least..=most).contains(whole));
        if whole.is_none() {
            self.fault(expected, errors);
        }
        whole
    }
}

/// The path of a member, in brackets unless it is a plain word.
pub(super) fn member_path(path: &str, name: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_plain = name.len() <= 63
        && name.bytes().all(is_word)
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    match is_plain {
        true => format!("{path}.{name}"),
        false => format!("{path}[{}]", quoted(name.as_bytes())),
    }
}

/// A value for a message, escaped and cut.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".into(),
        Some(Value::Null) => "null".into(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => quoted(text.as_bytes()),
        Some(Value::Array(items)) if items.len() == 1 => "an array of 1 item".into(),
        Some(Value::Array(items)) => format!("an array of {} items", items.len()),
        Some(Value::Object(members)) if members.len() == 1 => "an object of 1 member".into(),
        Some(Value::Object(members)) => format!("an object of {} members", members.len()),
    }
}
