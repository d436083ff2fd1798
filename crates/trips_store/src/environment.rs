//! Credentials and endpoints from the environment of the process.

use std::collections::BTreeMap;
use std::fmt;

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;

use crate::profile;

/// The variables that a program passes to its processes, as far as stores use them.
///
/// The names are those of the stores' own tools: `AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_ENDPOINT_URL`,
/// `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`, ….
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// Variables begin with one of these, or are these.
const PREFIXES: [&str; 6] = ["AWS_", "GOOGLE_", "AZURE_", "AZURITE_", "SERVICE_ACCOUNT", "HOME"];
/// Variables with addresses of servers.
const ENDPOINTS: [&str; 7] = [
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "GOOGLE_BASE_URL",
    "AZURE_ENDPOINT",
    "AZURE_STORAGE_ENDPOINT",
    "AZURITE_BLOB_STORAGE_URL",
];
/// The kind of credentials of Azure that runs a program.
const OF_PROGRAM: &str = "azure_cli";

/// Credentials are not shown.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        Self::new(variables.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// An environment of these names and values.
    pub fn new<N: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let is_used = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        Self { variables: variables.filter(|(name, _)| is_used(name)).collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The hosts of the servers that it names.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        let named = ENDPOINTS.iter().filter_map(|name| self.get(name));
        let mut hosts: Vec<String> = named
            .filter_map(|address| ::url::Url::parse(address).ok())
            .filter_map(|address| address.host_str().map(host_of))
            .collect();
        if self.get("AZURE_STORAGE_USE_EMULATOR").is_some() {
            hosts.push("127.0.0.1".to_owned());
        }
        hosts
    }

    /// Settings of S3, and those of the profile where the variables have no keys.
    pub(crate) fn of_s3(&self) -> Vec<(AmazonS3ConfigKey, String)> {
        let mut settings: Vec<_> = self.with_prefix("AWS_").collect();
        let has_keys = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"]
            .iter()
            .any(|name| self.get(name).is_some());
        let profile = profile::read(self);
        if !has_keys {
            settings.extend(profile.keys());
        }
        if self.get("AWS_REGION").is_none() && self.get("AWS_DEFAULT_REGION").is_none() {
            settings.extend(profile.region());
        }
        if ENDPOINTS[..3].iter().any(|name| self.is_http(name)) {
            settings.extend(parsed("aws_allow_http", "true"));
        }
        settings
    }

    /// Settings of Google Cloud Storage.
    pub(crate) fn of_gcs(&self) -> Vec<(GoogleConfigKey, String)> {
        let mut settings: Vec<_> = self.with_prefix("GOOGLE_").collect();
        if let Some(file) = self.get("SERVICE_ACCOUNT") {
            settings.extend(parsed("google_service_account", file));
        }
        settings
    }

    /// Settings of Azure. None of them runs a program.
    pub(crate) fn of_azure(&self) -> Vec<(AzureConfigKey, String)> {
        let runs_a_program = |key: &AzureConfigKey, value: &str| match key {
            AzureConfigKey::UseAzureCli => true,
            AzureConfigKey::CredentialType => value == OF_PROGRAM,
            _ => false,
        };
        let mut settings: Vec<_> = self.with_prefix("AZURE_").collect();
        settings.retain(|(key, value)| !runs_a_program(key, value));
        if ENDPOINTS[4..6].iter().any(|name| self.is_http(name)) {
            settings.extend(parsed("azure_allow_http", "true"));
        }
        settings
    }

    fn is_http(&self, name: &str) -> bool {
        self.get(name).is_some_and(|url| url.starts_with("http://"))
    }

    fn with_prefix<K: std::str::FromStr>(&self, prefix: &str) -> impl Iterator<Item = (K, String)> {
        self.variables
            .iter()
            .filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
            .filter_map(|(name, value)| parsed(&name.to_ascii_lowercase(), value))
    }
}

/// A setting that the crate knows.
pub(crate) fn parsed<K: std::str::FromStr>(name: &str, value: &str) -> Option<(K, String)> {
    name.parse().ok().map(|key| (key, value.to_owned()))
}

fn host_of(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_variable_runs_a_program() {
        let variables = [
            ("AZURE_USE_AZURE_CLI", "true"),
            ("AZURE_use_azure_cli", "true"),
            ("AZURE_CREDENTIAL_TYPE", OF_PROGRAM),
            ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
        ];
        let found = Environment::new(variables).of_azure();
        assert_eq!(found, [(AzureConfigKey::AccountName, "account".to_owned())]);
        let of_machine = Environment::new([("AZURE_CREDENTIAL_TYPE", "managed_identity")]);
        assert_eq!(of_machine.of_azure().len(), 1);
    }
}
