//! Objects of Alibaba Cloud OSS: fetched with V4 signatures, put together from as many answers as it takes, checked.
//!
//! `url` and `place` say where an object is, `credentials` who asks for it, `object` asks, `refusal` reads why OSS says
//! no, `download` makes one whole of the answers, `cache` keeps programs by their content. Feeds `cli`; `config` checks
//! addresses by it.

mod cache;
mod checksum;
mod credentials;
mod download;
mod error;
mod http;
mod object;
mod place;
mod refusal;
mod url;

pub use cache::{Cache, Fetched};
pub use checksum::{ChecksumError, Sha256Hex};
pub use credentials::HadoopKeys;
pub(crate) use error::shown;
pub use error::{FetchError, Why};
pub use http::Patience;
pub(crate) use http::{broken, distrust};
pub use object::Object;
pub use place::{Place, PlaceError, Wanted};
pub use url::{ObjectUrl, UrlError, is_oss};
