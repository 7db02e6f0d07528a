//! `oss://bucket/key`: where an object is, as people write it. Feeds `place`.
//!
//! Rules for names: help.aliyun.com, "Bucket naming conventions" and "Object naming conventions". The long form,
//! `oss://[id:secret@]bucket[.endpoint]/key`, is E-MapReduce's ("Configure the OSS URI to use E-MapReduce").

use std::fmt;

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 1023;

/// Where an object is. Displays as `oss://bucket/key`, safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectUrl {
    /// The bucket.
    pub bucket: String,
    /// The object's name within the bucket.
    pub key: String,
    /// The endpoint, where the address names one.
    pub endpoint: Option<String>,
}

/// Why an address cannot be used. Says nothing of the address itself, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an address of OSS.
    #[error("is not an address of OSS; write oss://bucket/key")]
    NotOss,
    /// Credentials stand in it.
    #[error(
        "the address holds credentials, which every user of this machine could see; write oss://bucket/key, and put \
         them into OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET or into ~/.oss/credentials"
    )]
    Credentials,
    /// The bucket's name is none.
    #[error(
        "its bucket has no legal name: 3 to 63 lower-case letters, digits and hyphens, no hyphen at either end"
    )]
    Bucket,
    /// There is no key, or it names a folder.
    #[error("names no object; write oss://bucket/key")]
    NoKey,
    /// The key is none that can be asked for.
    #[error(
        "its key cannot be asked for: at most {KEY_BYTES_MAX} bytes, no / or \\ at its begin, no `.` or `..` between \
         slashes, no control characters"
    )]
    Key,
}

/// Whether `text` is meant to be an address of OSS.
pub fn is_oss(text: &str) -> bool {
    after_scheme(text).is_some()
}

fn after_scheme(text: &str) -> Option<&str> {
    // E-MapReduce's job editor writes `ossref://` for a file to be fetched; the object is the same.
    ["oss://", "ossref://"].iter().find_map(|scheme| text.strip_prefix(scheme))
}

impl ObjectUrl {
    /// Reads an address. It is taken literally: `%20` in a key is three characters.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let rest = after_scheme(text).ok_or(UrlError::NotOss)?;
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        // A secret may hold a slash: then the @ stands behind the first one, and a colon before it.
        let colon_without_endpoint = authority.contains(':') && !authority.contains('.');
        if authority.contains('@') || (colon_without_endpoint && key.contains('@')) {
            return Err(UrlError::Credentials);
        }
        let (bucket, endpoint) = match authority.split_once('.') {
            Some((bucket, endpoint)) => (bucket, Some(endpoint.to_owned())),
            None => (authority, None),
        };
        if !is_bucket(bucket) {
            return Err(UrlError::Bucket);
        }
        if key.is_empty() || key.ends_with('/') {
            return Err(UrlError::NoKey);
        }
        if !is_key(key) {
            return Err(UrlError::Key);
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), endpoint })
    }

    /// The last part of the key.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }

    /// The object beside this one whose key ends in `suffix` besides.
    pub(super) fn beside(&self, suffix: &str) -> Self {
        Self { key: format!("{}{suffix}", self.key), ..self.clone() }
    }
}

fn is_bucket(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(legal)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// HTTP clients resolve dots between slashes, so that such an object could never be asked for.
fn is_key(key: &str) -> bool {
    key.len() <= KEY_BYTES_MAX
        && !key.starts_with(['/', '\\'])
        && !key.chars().any(char::is_control)
        && !key.split('/').any(|part| part == "." || part == "..")
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oss://{}", self.bucket)?;
        if let Some(endpoint) = &self.endpoint {
            write!(f, ".{}", endpoint.escape_debug())?;
        }
        write!(f, "/{}", self.key.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, String, Option<String>) {
        let url = ObjectUrl::parse(text).unwrap();
        (url.bucket, url.key, url.endpoint)
    }

    fn object(bucket: &str, key: &str, endpoint: Option<&str>) -> (String, String, Option<String>) {
        (bucket.to_owned(), key.to_owned(), endpoint.map(str::to_owned))
    }

    #[test]
    fn an_address_is_a_bucket_and_a_key_and_may_name_an_endpoint() {
        assert_eq!(parsed("oss://jars/spindle"), object("jars", "spindle", None));
        assert_eq!(parsed("ossref://my-jars-1/a/b c%20/日"), object("my-jars-1", "a/b c%20/日", None));
        let long = parsed("oss://jars.oss-cn-hangzhou-internal.aliyuncs.com/a//b@c");
        assert_eq!(long, object("jars", "a//b@c", Some("oss-cn-hangzhou-internal.aliyuncs.com")));
        assert_eq!(parsed("oss://jars.127.0.0.1:90/a"), object("jars", "a", Some("127.0.0.1:90")));
        assert_eq!(ObjectUrl::parse("oss://jars/a/b.yaml").unwrap().file_name(), "b.yaml");
    }

    #[test]
    fn credentials_in_an_address_are_refused_and_not_repeated() {
        for text in ["oss://id:key@jars/a", "ossref://id@jars.oss-x.aliyuncs.com/a", "oss://id:k/ey@jars/a"] {
            let error = ObjectUrl::parse(text).unwrap_err();
            assert_eq!(error, UrlError::Credentials, "{text}");
            assert!(!error.to_string().contains("id:") && !error.to_string().contains("jars"), "{error}");
        }
    }

    #[test]
    fn what_names_no_object_is_refused_with_its_rule() {
        let long_key = format!("oss://jars/{}", "k".repeat(1024));
        let cases = [
            ("hdfs://jars/a", UrlError::NotOss),
            ("oss:/jars/a", UrlError::NotOss),
            ("oss://ja/a", UrlError::Bucket),
            ("oss://Jars/a", UrlError::Bucket),
            ("oss://-jars/a", UrlError::Bucket),
            ("oss://jars-/a", UrlError::Bucket),
            ("oss://ja_rs/a", UrlError::Bucket),
            ("oss:///a", UrlError::Bucket),
            ("oss://jars", UrlError::NoKey),
            ("oss://jars/", UrlError::NoKey),
            ("oss://jars/a/", UrlError::NoKey),
            ("oss://jars//a", UrlError::Key),
            ("oss://jars/\\a", UrlError::Key),
            ("oss://jars/a/../b", UrlError::Key),
            ("oss://jars/.", UrlError::Key),
            ("oss://jars/a\nb", UrlError::Key),
            (&long_key, UrlError::Key),
        ];
        for (text, error) in cases {
            assert_eq!(ObjectUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn what_is_shown_drives_no_terminal() {
        let shown = ObjectUrl::parse("oss://jars/a\u{202e}b").unwrap().to_string();
        assert_eq!(shown, "oss://jars/a\\u{202e}b");
    }
}
