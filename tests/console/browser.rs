//! A browser as a person uses it: addresses, clicks, keys; and what it shows.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use trips_tests::until_within;

use crate::webdriver::WebDriver;

/// How long a page may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser(WebDriver);

impl Browser {
    /// A browser with a window of this size.
    pub fn start(directory: &str, [width, height]: [u32; 2]) -> Self {
        let browser = Self(WebDriver::start(directory));
        browser.resize(width, height, false);
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.0.command("POST", path, body).unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }

    /// A command of Chromium's own protocol.
    pub fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Sets the size of the page; a phone has fingers and finer pixels.
    pub fn resize(&self, width: u32, height: u32, is_phone: bool) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone });
        self.chromium("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Lets the system prefer `light` or `dark`, and nothing that moves.
    pub fn prefer(&self, scheme: &str) {
        let features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]
            .map(|(name, value)| json!({ "name": name, "value": value }));
        self.chromium("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    pub fn open(&self, address: &str) {
        self.post("url", &json!({ "url": address }));
    }

    pub fn reload(&self) {
        self.post("refresh", &json!({}));
    }

    pub fn back(&self) {
        self.post("back", &json!({}));
    }

    pub fn address(&self) -> String {
        let address = self.0.command("GET", "url", &Value::Null).expect("an address");
        address.as_str().expect("text").to_owned()
    }

    /// The value of an expression of JavaScript in the page.
    pub fn value(&self, expression: &str) -> Value {
        self.post("execute/sync", &json!({ "script": format!("return {expression};"), "args": [] }))
    }

    /// The same as text.
    pub fn text(&self, expression: &str) -> String {
        match self.value(expression) {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    /// The text of the first element of a selector; nothing if there is none.
    pub fn text_of(&self, selector: &str) -> String {
        self.text(&format!("document.querySelector({})?.innerText", json!(selector)))
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait(&self, expression: &str) {
        // Another interface of the machine breaks requests, also those to loopback: the browser has a page of its own then.
        let look = format!(
            "document.querySelector('#main-frame-error') ? 'broken' : Boolean({expression})"
        );
        until_within(TIMEOUT, NotSeen { browser: self, expression }, || {
            let found = self.value(&look);
            if found == "broken" {
                self.reload();
            }
            (found == true).then_some(())
        });
    }

    /// Waits until the page has this element, and no answer is on its way.
    #[track_caller]
    pub fn wait_for(&self, selector: &str) {
        self.wait(&format!("document.querySelector({})", json!(selector)));
    }

    /// Waits until the view has all its answers.
    #[track_caller]
    pub fn settled(&self) {
        self.wait(
"document.querySelector('nav a[aria-current]') && !document.querySelector('[aria-busy], .counting') \
             && ![...document.querySelectorAll('main .loading')].some(part => part.checkVisibility())",
        );
    }

    /// Clicks the middle of an element.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.wait_for(selector);
        self.value(&format!(
            "document.querySelector({}).scrollIntoView({{ block: 'center' }})",
            json!(selector)
        ));
        let [x, y, width, height] = self.place(selector);
        self.pointer(&[[x + width / 2, y + height / 2]]);
    }

    /// Left, top, width and height of an element in the window.
    pub fn place(&self, selector: &str) -> [i64; 4] {
        let found = self.value(&format!(
            "(r => [r.left, r.top, r.width, r.height].map(Math.round))(document.querySelector({}).getBoundingClientRect())",
            json!(selector)
        ));
        std::array::from_fn(|i| found[i].as_i64().expect("a number"))
    }

    /// Presses the pointer at the first place, moves it over the others, releases it.
    pub fn pointer(&self, places: &[[i64; 2]]) {
        let to =
            |[x, y]: [i64; 2]| json!({ "type": "pointerMove", "duration": 40, "x": x, "y": y });
        let mut steps = vec![to(places[0]), json!({ "type": "pointerDown", "button": 0 })];
        steps.extend(places[1..].iter().map(|place| to(*place)));
        steps.push(json!({ "type": "pointerUp", "button": 0 }));
        let source = json!({ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": steps });
        self.post("actions", &json!({ "actions": [source] }));
    }

    /// Types text, or keys of WebDriver's (`\u{e004}` is Tab).
    pub fn keys(&self, keys: &str) {
        let steps: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        self.post(
            "actions",
            &json!({ "actions": [{ "type": "key", "id": "keys", "actions": steps }] }),
        );
    }

    /// What the console of the browser has said since the last call, errors and warnings.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().expect("a list").iter();
        entries
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .filter(|message| !message.contains("net::ERR_NETWORK_CHANGED"))
            .collect()
    }

    /// The addresses that the page has asked since the last call.
    pub fn requests(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "performance" }));
        let messages = entries
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        messages
            .filter(|message| message["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|message| {
                Some(message["message"]["params"]["request"]["url"].as_str()?.to_owned())
            })
            .collect()
    }

    /// A picture of the window, PNG.
    pub fn picture(&self) -> Vec<u8> {
        let text = self.0.command("GET", "screenshot", &Value::Null).expect("a picture");
        BASE64_STANDARD.decode(text.as_str().expect("text")).expect("base64")
    }
}

/// What a page shows instead of what is waited for.
struct NotSeen<'a> {
    browser: &'a Browser,
    expression: &'a str,
}

impl fmt::Display for NotSeen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.browser.text("document.body.innerText");
        write!(f, "the page does not come to {}\n{text}", self.expression)
    }
}
