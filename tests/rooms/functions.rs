//! How long functions are.

use crate::source::Token;

/// The name, the first line and the number of lines of each function that has a body.
pub fn lengths(tokens: &[Token]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let Some(name) = tokens.get(i + 1).filter(|_| token.text == "fn") else { continue };
        if !name.text.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            continue;
        }
        if let Some(end) = end_of_body(&tokens[i..]) {
            found.push((name.text.clone(), token.line, end - token.line + 1));
        }
    }
    found
}

/// The line on which the body of this function ends; `None` for one without a body.
fn end_of_body(tokens: &[Token]) -> Option<usize> {
    let (mut braces, mut brackets) = (0, 0);
    for token in tokens {
        match token.text.as_str() {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets -= 1,
            ";" if braces == 0 && brackets == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                if braces == 0 {
                    return Some(token.line);
                }
            }
            _ => {}
        }
    }
    None
}
