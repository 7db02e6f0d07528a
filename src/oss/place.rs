//! Which server is asked for an object, and for which region requests to it are signed.
//!
//! Endpoints: help.aliyun.com, "OSS regions and endpoints". The bucket is part of the host's name, but of the path where
//! the endpoint is an address, as in Alibaba's SDKs (`alibabacloud_oss_v2._client._resolve_address_style`).

use std::net::IpAddr;

use reqwest::Url;

use super::url::ObjectUrl;

/// What the user has said of region and endpoint, by whatever means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// As in `cn-hangzhou`.
    pub region: Option<String>,
    /// As in `oss-cn-hangzhou-internal.aliyuncs.com`, or with a scheme.
    pub endpoint: Option<String>,
}

impl Wanted {
    /// What flags or the environment say, and Hadoop's endpoint where they name none: unless that is for another region
    /// than the one that they name. What is empty says nothing.
    pub fn new(region: Option<String>, endpoint: Option<String>, hadoop: Option<String>) -> Self {
        let said = |text: &String| !text.is_empty();
        let region = region.filter(said);
        let hadoop = hadoop.filter(said).filter(|endpoint| may_serve(endpoint, region.as_deref()));
        Self { endpoint: endpoint.filter(said).or(hadoop), region }
    }
}

/// Whether an endpoint may be the one of `region`. What is wrong with it is said when it is used.
fn may_serve(endpoint: &str, region: Option<&str>) -> bool {
    let Some(region) = region else { return true };
    match server(endpoint) {
        Ok(server) => server.host_str().and_then(region_of).is_none_or(|told| told == region),
        Err(PlaceError::OssHdfs { .. }) => false,
        Err(_) => true,
    }
}

/// The server and the region of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The object's address there.
    pub url: Url,
    /// The region for which requests are signed.
    pub region: String,
}

/// Why it is not known which server to ask. The user mends that by saying something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Neither region nor endpoint.
    #[error(
        "fetch {url}: in which region is the bucket? Give --oss-region or --oss-endpoint, or set OSS_REGION"
    )]
    Nowhere {
        /// What was to be fetched.
        url: ObjectUrl,
    },
    /// An endpoint that does not tell its region.
    #[error(
        "fetch {url}: the endpoint {endpoint} does not tell its region; give --oss-region, or set OSS_REGION"
    )]
    NoRegion {
        /// What was to be fetched.
        url: ObjectUrl,
        /// The endpoint.
        endpoint: String,
    },
    /// Not a region's name.
    #[error("{region} is not a region of OSS; write it as in cn-hangzhou")]
    NotARegion {
        /// As it was given.
        region: String,
    },
    /// Not an endpoint.
    #[error("{endpoint} is not an endpoint of OSS; write it as in oss-cn-hangzhou-internal.aliyuncs.com")]
    NotAnEndpoint {
        /// As it was given.
        endpoint: String,
    },
    /// The endpoint of another service.
    #[error(
        "{endpoint} is an endpoint of OSS-HDFS; give --oss-endpoint, as in oss-cn-hangzhou-internal.aliyuncs.com"
    )]
    OssHdfs {
        /// As it was given.
        endpoint: String,
    },
}

impl Place {
    /// Where `object` is. An endpoint in its own address goes before `wanted`.
    pub fn of(object: &ObjectUrl, wanted: &Wanted) -> Result<Self, PlaceError> {
        let region = wanted.region.as_deref();
        if let Some(region) = region.filter(|region| !is_region(region)) {
            return Err(PlaceError::NotARegion { region: region.escape_debug().to_string() });
        }
        let endpoint = object.endpoint.as_deref().or(wanted.endpoint.as_deref());
        let endpoint = match (endpoint, region) {
            (Some(endpoint), _) => endpoint.to_owned(),
            (None, Some(region)) => format!("oss-{region}.aliyuncs.com"),
            (None, None) => return Err(PlaceError::Nowhere { url: object.clone() }),
        };
        let server = server(&endpoint)?;
        let region = match region.or_else(|| region_of(server.host_str()?)) {
            Some(region) => region.to_owned(),
            None => return Err(PlaceError::NoRegion { url: object.clone(), endpoint }),
        };
        Ok(Self { url: address(server, object), region })
    }
}

/// Without a scheme it is https.
fn server(endpoint: &str) -> Result<Url, PlaceError> {
    let shown = || endpoint.escape_debug().to_string();
    let whole = if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") };
    let is_server = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    };
    // Credentials would be sent along, and shown in errors.
    let url = Url::parse(&whole).ok().filter(|url| url.username().is_empty() && url.password().is_none());
    let url = url.filter(is_server).ok_or_else(|| match endpoint.contains('@') {
        true => PlaceError::NotAnEndpoint { endpoint: "what holds an @".to_owned() },
        false => PlaceError::NotAnEndpoint { endpoint: shown() },
    })?;
    match url.host_str().is_some_and(|host| host.ends_with(".oss-dls.aliyuncs.com")) {
        true => Err(PlaceError::OssHdfs { endpoint: shown() }),
        false => Ok(url),
    }
}

fn is_region(region: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !region.is_empty() && region.bytes().all(legal) && !region.starts_with("oss-")
}

/// `oss-cn-hangzhou.aliyuncs.com`, `oss-cn-hangzhou-internal.aliyuncs.com`, and `cn-hangzhou.oss.aliyuncs.com` for both
/// versions of IP.
fn region_of(host: &str) -> Option<&str> {
    let service = host.strip_suffix(".aliyuncs.com")?;
    let name = match service.strip_suffix(".oss") {
        Some(region) => region,
        None => service.strip_prefix("oss-")?,
    };
    let region = name.strip_suffix("-internal").unwrap_or(name);
    // Acceleration has one endpoint for all regions.
    (is_region(region) && !region.starts_with("accelerate")).then_some(region)
}

fn address(mut server: Url, object: &ObjectUrl) -> Url {
    let host = server.host_str().unwrap_or_default().to_owned();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let in_path = bare == "localhost" || bare.parse::<IpAddr>().is_ok();
    // Both bucket and host are checked: together they are a host as well.
    let named = !in_path && server.set_host(Some(&format!("{}.{host}", object.bucket))).is_ok();
    if let Ok(mut path) = server.path_segments_mut() {
        path.clear();
        if !named {
            path.push(&object.bucket);
        }
        path.extend(object.key.split('/'));
    }
    server
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str, region: Option<&str>, endpoint: Option<&str>) -> Result<(String, String), String> {
        let wanted = Wanted { region: region.map(str::to_owned), endpoint: endpoint.map(str::to_owned) };
        let place = Place::of(&ObjectUrl::parse(url).unwrap(), &wanted).map_err(|error| error.to_string())?;
        Ok((place.url.to_string(), place.region))
    }

    fn at(url: &str, region: &str) -> Result<(String, String), String> {
        Ok((url.to_owned(), region.to_owned()))
    }

    #[test]
    fn a_region_names_its_endpoint_and_an_endpoint_its_region() {
        let public = at("https://jars.oss-cn-hangzhou.aliyuncs.com/a/b", "cn-hangzhou");
        assert_eq!(place("oss://jars/a/b", Some("cn-hangzhou"), None), public);
        assert_eq!(place("oss://jars/a/b", None, Some("oss-cn-hangzhou.aliyuncs.com")), public);
        let internal = "oss-cn-hangzhou-internal.aliyuncs.com";
        let plain = at("http://jars.oss-cn-hangzhou-internal.aliyuncs.com/a", "cn-hangzhou");
        assert_eq!(place("oss://jars/a", None, Some(&format!("http://{internal}"))), plain);
        let dual = at("https://jars.ap-southeast-1.oss.aliyuncs.com/a", "ap-southeast-1");
        assert_eq!(place("oss://jars/a", None, Some("ap-southeast-1.oss.aliyuncs.com")), dual);
        let own = at("https://jars.files.example.com:8443/a", "cn-beijing");
        assert_eq!(place("oss://jars/a", Some("cn-beijing"), Some("https://files.example.com:8443/")), own);
    }

    #[test]
    fn hadoops_endpoint_counts_where_no_other_is_named_unless_it_is_another_regions() {
        let endpoint = |region: &str, endpoint: &str, hadoop: &str| {
            let some = |text: &str| Some(text.to_owned());
            Wanted::new(some(region), some(endpoint), some(hadoop)).endpoint.unwrap_or_default()
        };
        let (own, internal) = ("files.example.com", "http://oss-cn-beijing-internal.aliyuncs.com");
        assert_eq!(endpoint("", "", own), own);
        assert_eq!(endpoint("cn-beijing", "", own), own);
        assert_eq!(endpoint("cn-beijing", "", internal), internal);
        assert_eq!(endpoint("cn-hangzhou", "", internal), "");
        assert_eq!(endpoint("cn-beijing", "", "cn-beijing.oss-dls.aliyuncs.com"), "");
        assert_eq!(endpoint("", "127.0.0.1", own), "127.0.0.1");
        assert_eq!(endpoint("cn-beijing", "", "a b"), "a b", "its error is told");
        assert_eq!(Wanted::new(Some(String::new()), Some(String::new()), None), Wanted::default());
    }

    #[test]
    fn an_endpoint_in_the_address_goes_first() {
        let url = "oss://jars.oss-cn-beijing-internal.aliyuncs.com/a";
        let inside = at("https://jars.oss-cn-beijing-internal.aliyuncs.com/a", "cn-beijing");
        assert_eq!(place(url, None, Some("oss-cn-hangzhou.aliyuncs.com")), inside);
    }

    #[test]
    fn the_bucket_is_in_the_path_only_where_the_endpoint_is_an_address() {
        let region = Some("cn-beijing");
        let by_address = at("http://127.0.0.1:90/jars/a", "cn-beijing");
        assert_eq!(place("oss://jars/a", region, Some("http://127.0.0.1:90")), by_address);
        let by_address = at("https://[::1]/jars/a", "cn-beijing");
        assert_eq!(place("oss://jars/a", region, Some("[::1]")), by_address);
        let local = at("https://localhost/jars/a", "cn-beijing");
        assert_eq!(place("oss://jars/a", region, Some("localhost")), local);
    }

    #[test]
    fn a_key_is_one_path_whatever_is_in_it() {
        let key = place("oss://jars/a b/%20?x#y/日//z+", Some("cn-beijing"), None);
        let path = "/a%20b/%2520%3Fx%23y/%E6%97%A5//z+";
        assert_eq!(key, at(&format!("https://jars.oss-cn-beijing.aliyuncs.com{path}"), "cn-beijing"));
    }

    #[test]
    fn what_is_not_known_is_asked_for() {
        let told = |region, endpoint| place("oss://jars/a", region, endpoint).unwrap_err();
        assert!(
            told(None, None).contains("oss://jars/a: in which region") && told(None, None).contains("--oss-")
        );
        assert!(told(None, Some("oss-accelerate.aliyuncs.com")).contains("does not tell its region"));
        assert!(told(None, Some("127.0.0.1:1")).contains("--oss-region"));
        assert!(told(Some("oss-cn-hangzhou"), None).contains("as in cn-hangzhou"));
        assert!(told(None, Some("cn-hangzhou.oss-dls.aliyuncs.com")).contains("OSS-HDFS"));
        for endpoint in ["ftp://x.example.com", "https://x.example.com/path", "http://", "a b", "x?y"] {
            assert!(told(Some("cn-beijing"), Some(endpoint)).contains("is not an endpoint"), "{endpoint}");
        }
        let secret = told(Some("cn-beijing"), Some("https://id:key@x.example.com"));
        assert!(secret.contains("is not an endpoint") && !secret.contains("key"), "{secret}");
    }
}
