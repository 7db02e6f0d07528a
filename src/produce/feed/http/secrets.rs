//! What a request holds that must not be shown, though a server may repeat it in an error: values of its query, of its form
//! and of its headers. Feeds `http`.

use std::fmt;

use reqwest::{Body, Request, Url};

/// Shorter values are no secrets. Hidden, they would make words around them unreadable.
const SECRET_BYTES_MIN: usize = 4;

/// The values, longest first.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Those of a request. Of its headers only those that are marked as sensitive: all that are configured.
    pub(super) fn of(request: &Request) -> Self {
        let mut values = Vec::new();
        in_query(request.url(), &mut values);
        if let Some(form) = request.body().and_then(Body::as_bytes).and_then(|form| str::from_utf8(form).ok())
        {
            let mut url = request.url().clone();
            url.set_query(Some(form));
            in_query(&url, &mut values);
        }
        for value in request.headers().values().filter(|value| value.is_sensitive()) {
            let Ok(value) = value.to_str() else { continue };
            values.push(value.to_owned());
            // As in `Bearer VALUE` and `name="VALUE"`.
            values.extend(value.split([' ', ',', ';', '=', '"']).map(str::to_owned));
        }
        values.retain(|value| value.len() >= SECRET_BYTES_MIN);
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values)
    }

    /// The text with `***` in place of each of them.
    pub(super) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, value| text.replace(value, "***"))
    }
}

/// Values of a query, as they are sent and as they are meant.
fn in_query(url: &Url, values: &mut Vec<String>) {
    let sent = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    values.extend(sent.map(|(_, value)| value.to_owned()));
    values.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
}
