//! Who asks: credentials from wherever Alibaba's own tools look, found by `reqsign`. Feeds `object`.
//!
//! A role that the environment names decides: it is assumed with an OIDC token where there is one, else with keys. Keys are
//! looked for in this order: the environment, `~/.oss/credentials`, Alibaba's shared credentials file, the settings of the
//! `aliyun` command, Hadoop's `core-site.xml`, `ALIBABA_CLOUD_CREDENTIALS_URI`, the RAM role of the ECS instance.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use reqsign_aliyun_oss::{
    AssumeRoleCredentialProvider, AssumeRoleWithOidcCredentialProvider, ConfigFileCredentialProvider,
    Credential, CredentialsFileCredentialProvider, CredentialsUriCredentialProvider,
    EcsRamRoleCredentialProvider, EnvCredentialProvider, OssProfileCredentialProvider,
    StaticCredentialProvider,
};
use reqsign_core::{Context, Env, Error, FileRead, ProvideCredential, ProvideCredentialDyn};

use super::error::shown;
use super::http::Questions;

/// Longest file of credentials, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Keys that Hadoop's settings hold: `fs.oss.accessKeyId`, `fs.oss.accessKeySecret` and `fs.oss.securityToken`, as
/// hadoop-aliyun and JindoSDK read them.
#[derive(Clone)]
pub struct HadoopKeys {
    /// The access key's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The token of temporary keys.
    pub token: Option<String>,
}

impl std::fmt::Debug for HadoopKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Who asks: a role that is assumed, or whoever has the keys.
#[derive(Debug)]
pub(super) struct Asker {
    roles: [(&'static str, Box<dyn ProvideCredentialDyn<Credential = Credential>>); 2],
    keys: Chain,
}

impl Asker {
    pub(super) fn new(hadoop: Option<&HadoopKeys>) -> Self {
        let by_keys = AssumeRoleCredentialProvider::new().with_base_provider(Chain::new(hadoop));
        let by_token = AssumeRoleWithOidcCredentialProvider::new();
        let roles: [(_, Box<dyn ProvideCredentialDyn<Credential = Credential>>); 2] =
            [("ALIBABA_CLOUD_OIDC_TOKEN_FILE", Box::new(by_token)), ("keys", Box::new(by_keys))];
        Self { roles, keys: Chain::new(hadoop) }
    }
}

impl ProvideCredential for Asker {
    type Credential = Credential;

    /// Keys are no stand-in for a role that cannot be assumed: they may have more rights.
    async fn provide_credential(&self, context: &Context) -> reqsign_core::Result<Option<Credential>> {
        for (by, role) in &self.roles {
            match role.provide_credential_dyn(context).await {
                Ok(None) => {}
                Ok(assumed) => return Ok(assumed),
                Err(error) => {
                    let why = shown(&error.to_string());
                    return Err(Error::credential_invalid(format!(
                        "assume the role of ALIBABA_CLOUD_ROLE_ARN by {by}: {why}; have it granted, or unset \
                         ALIBABA_CLOUD_ROLE_ARN"
                    )));
                }
            }
        }
        self.keys.provide_credential(context).await
    }
}

/// The places where keys are looked for, in order.
#[derive(Debug)]
struct Chain(Vec<(&'static str, Box<dyn ProvideCredentialDyn<Credential = Credential>>)>);

impl Chain {
    fn new(hadoop: Option<&HadoopKeys>) -> Self {
        let mut chain = Self(Vec::new());
        chain.add("the environment", EnvCredentialProvider::new());
        chain.add("~/.oss/credentials", OssProfileCredentialProvider::new());
        chain.add("~/.alibabacloud/credentials.ini", CredentialsFileCredentialProvider::new());
        chain.add("~/.aliyun/config.json", ConfigFileCredentialProvider::new());
        if let Some(keys) = hadoop {
            let mut fixed = StaticCredentialProvider::new(&keys.id, &keys.secret);
            if let Some(token) = &keys.token {
                fixed = fixed.with_security_token(token);
            }
            chain.add("core-site.xml", fixed);
        }
        chain.add("ALIBABA_CLOUD_CREDENTIALS_URI", CredentialsUriCredentialProvider::new());
        chain.add("the RAM role of this ECS instance", EcsRamRoleCredentialProvider::new());
        chain
    }

    fn add(&mut self, name: &'static str, place: impl ProvideCredential<Credential = Credential>) {
        self.0.push((name, Box::new(place)));
    }
}

impl ProvideCredential for Chain {
    type Credential = Credential;

    /// A place that fails is passed over: a laptop has no RAM role. If none has credentials, each failure is told.
    async fn provide_credential(&self, context: &Context) -> reqsign_core::Result<Option<Credential>> {
        let mut failed = Vec::new();
        for (name, place) in &self.0 {
            match place.provide_credential_dyn(context).await {
                Ok(Some(found)) => {
                    if !failed.is_empty() {
                        tracing::warn!(
                            "credentials for OSS from {name}, as others failed: {}",
                            failed.join("; ")
                        );
                    }
                    return Ok(Some(found));
                }
                Ok(None) => {}
                // The cause may repeat what a file holds.
                Err(error) => failed.push(format!("{name}: {}", shown(&error.to_string()))),
            }
        }
        let failed = if failed.is_empty() { String::new() } else { format!(" ({})", failed.join("; ")) };
        Err(Error::credential_invalid(format!(
            "no credentials for OSS{failed}; set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, write ~/.oss/credentials, or \
             give this ECS instance a RAM role"
        )))
    }
}

/// What `reqsign` reads the world through.
pub(super) fn context() -> Context {
    Context::new().with_env(Environment).with_file_read(Files).with_http_send(Questions)
}

/// The environment, without variables that are empty: a script that exports them so means that there are none.
#[derive(Debug, Clone, Copy)]
struct Environment;

impl Env for Environment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn vars(&self) -> HashMap<String, String> {
        let texts = std::env::vars_os().map(|(name, value)| (name.into_string(), value.into_string()));
        texts
            .filter_map(|(name, value)| Some((name.ok()?, value.ok().filter(|text| !text.is_empty())?)))
            .collect()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }
}

#[derive(Debug, Clone, Copy)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
