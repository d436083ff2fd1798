//! The profile of AWS's own tools: the files `credentials` and `config` below `~/.aws`.

use std::collections::HashMap;
use std::path::PathBuf;

use object_store::aws::AmazonS3ConfigKey;

use crate::environment::{Environment, parsed};

/// Limit of the size of a file, bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// The settings of one profile.
#[derive(Default)]
pub struct Profile(HashMap<String, String>);

/// Reads the profile that `AWS_PROFILE` names, or `default`. A missing file is an empty one.
pub fn read(environment: &Environment) -> Profile {
    let name = environment.get("AWS_PROFILE").unwrap_or("default");
    let file = |variable: &str, name: &str| -> Option<PathBuf> {
        let named = environment.get(variable).map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(environment.get("HOME")?).join(".aws").join(name)))
    };
    let mut settings = HashMap::new();
    let sections = [
        (file("AWS_CONFIG_FILE", "config"), format!("profile {name}")),
        (file("AWS_CONFIG_FILE", "config"), name.to_owned()),
        (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name.to_owned()),
    ];
    for (path, section) in sections {
        let size = path.as_ref().and_then(|path| path.metadata().ok()).map(|found| found.len());
        if let Some(path) = path.filter(|_| size.is_some_and(|size| size <= MAX_SIZE))
            && let Ok(text) = std::fs::read_to_string(path)
        {
            settings.extend(section_of(&text, &section));
        }
    }
    Profile(settings)
}

/// The settings of a section.
fn section_of(text: &str, section: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            is_inside = name.split(']').next().is_some_and(|name| name.trim() == section);
        } else if is_inside
            && !line.starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once('=')
        {
            found.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

impl Profile {
    /// The keys, if it has them.
    pub fn keys(&self) -> Vec<(AmazonS3ConfigKey, String)> {
        let names = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
        names.iter().filter_map(|name| parsed(name, self.0.get(*name)?)).collect()
    }

    /// The region, if it has one.
    pub fn region(&self) -> Option<(AmazonS3ConfigKey, String)> {
        parsed("aws_region", self.0.get("region")?)
    }
}
