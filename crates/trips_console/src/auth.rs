//! The token of the link, and the cookie that stands for it.

use std::fmt;
use std::path::Path;

use axum::http::{HeaderMap, header};

/// What the link has. Whoever knows it may use the page, with the rights of the page's role.
pub struct Token(String);

impl Token {
    /// A new token: 192 random bits.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, String> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes).map_err(|error| format!("could not make a token: {error}"))?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The token of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not 16 to 200 letters and digits.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("could not read file \"{}\": {error}", path.display()))?;
        Self::given(&text).map_err(|error| format!("file \"{}\" {error}", path.display()))
    }

    /// The token of the variable `TRIPS_CONSOLE_TOKEN`; None if it is not set.
    ///
    /// # Errors
    /// When it is not 16 to 200 letters and digits.
    pub fn of_environment() -> Result<Option<Self>, String> {
        let Some(text) = std::env::var_os("TRIPS_CONSOLE_TOKEN") else { return Ok(None) };
        let token = Self::given(&text.to_string_lossy());
        token.map(Some).map_err(|error| format!("the variable TRIPS_CONSOLE_TOKEN {error}"))
    }

    fn given(text: &str) -> Result<Self, &'static str> {
        let token = text.trim();
        let is_valid = (16..=200).contains(&token.len())
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let error = "does not have a token of 16 to 200 letters and digits";
        is_valid.then(|| Self(token.to_owned())).ok_or(error)
    }

    /// Whether this is the token.
    pub fn is(&self, given: &str) -> bool {
        is_equal(self.0.as_bytes(), given.as_bytes())
    }

    /// Whether a request has the cookie that [`Token::cookie`] has set.
    pub fn is_in(&self, headers: &HeaderMap, port: u16) -> bool {
        let name = cookie_name(port);
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut values = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .filter_map(|(found, value)| (found == name).then_some(value));
        values.any(|value| self.is(value))
    }

    /// The header that makes a browser send the token with each request. Scripts do not see it.
    pub fn cookie(&self, port: u16, is_secure: bool) -> String {
        let secure = if is_secure { "; Secure" } else { "" };
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(port), self.0)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Cookies do not know ports: pages of two programs on one host would overwrite each other's.
fn cookie_name(port: u16) -> String {
    format!("trips_console_{port}")
}

/// Compares in a time that does not depend on where the texts differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(difference) == 0 && one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let token = Token::random().unwrap();
        let text = token.to_string();
        assert_eq!(text.len(), 48);
        assert!(token.is(&text));
        for wrong in [
            "",
            &text[1..],
            &format!("{text}0"),
            &text.to_uppercase().replace(|c: char| c.is_ascii_digit(), "x"),
        ] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_ne!(Token::random().unwrap().to_string(), text);
        let mut headers = HeaderMap::new();
        assert!(!token.is_in(&headers, 1));
        headers.insert(header::COOKIE, format!("a=b; trips_console_1={text}").parse().unwrap());
        assert!(token.is_in(&headers, 1) && !token.is_in(&headers, 2));
        assert!(
            token
                .cookie(1, false)
                .starts_with(&format!("trips_console_1={text}; Path=/; HttpOnly; SameSite=Strict"))
        );
        assert!(token.cookie(1, true).ends_with("; Secure"));
    }
}
