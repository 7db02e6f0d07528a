//! What HDFS's errors mean. Names of Java classes as the NameNode sends them; those of 2.8.5 to 3.4 are the same.

use hdfs_native::HdfsError;

use super::super::error::{Failure, Kind};

/// Longest reason shown, characters: some messages list every DataNode.
const REASON_CHARS_MAX: usize = 300;

/// No KDC answers, or its name is not known: `KRB5_KDC_UNREACH` and `KRB5_REALM_CANT_RESOLVE` of MIT's krb5.h, as
/// GSSAPI's minor codes.
const KDC_UNREACH: u32 = -1_765_328_228_i32 as u32;
const REALM_CANT_RESOLVE: u32 = -1_765_328_164_i32 as u32;

/// Any call's error.
pub(super) fn failure(error: HdfsError) -> Failure {
    let kind = kind(&error);
    Failure::new(kind, reason(&error))
}

/// The error of a call on a file that this process has open: there, what says that the file is not (any more)
/// under construction by us says that somebody took it over.
pub(super) fn of_writer(error: HdfsError) -> Failure {
    let failure = failure(error);
    let fenced = ["LeaseExpiredException", "FileNotFoundException", "Unexpected BlockUCState"];
    let fenced = fenced.iter().any(|word| failure.reason.contains(word)) || failure.kind == Kind::Gone;
    if fenced { Failure { kind: Kind::Fenced, ..failure } } else { failure }
}

fn kind(error: &HdfsError) -> Kind {
    match error {
        HdfsError::FileNotFound(_) => Kind::Gone,
        HdfsError::AlreadyExists(_) => Kind::Exists,
        HdfsError::GSSAPIError(_, KDC_UNREACH | REALM_CANT_RESOLVE, _) => Kind::Unavailable,
        HdfsError::GSSAPIError(..) => Kind::Unproved,
        HdfsError::SASLError(_) | HdfsError::NoSASLMechanism => Kind::Denied,
        HdfsError::RPCError(class, message) | HdfsError::FatalRPCError(class, message) => {
            of_class(last_segment(class), message)
        }
        HdfsError::InvalidPath(_)
        | HdfsError::InvalidArgument(_)
        | HdfsError::UrlParseError(_)
        | HdfsError::XmlParseError(_)
        | HdfsError::IsADirectoryError(_)
        | HdfsError::UnsupportedErasureCodingPolicy(_)
        | HdfsError::UnsupportedFeature(_)
        | HdfsError::TrashNotEnabled => Kind::Invalid,
        HdfsError::OperationFailed(what) if what.contains("erasure-coded") => Kind::Invalid,
        _ => Kind::Unavailable,
    }
}

fn of_class(class: &str, message: &str) -> Kind {
    match class {
        "FileNotFoundException" => Kind::Gone,
        "FileAlreadyExistsException"
        | "AlreadyBeingCreatedException"
        | "PathIsNotEmptyDirectoryException" => Kind::Exists,
        "AccessControlException" | "AuthorizationException" | "SaslException" | "GSSException" => {
            Kind::Denied
        }
        "SecretManager$InvalidToken" | "InvalidToken" => Kind::Denied,
        "LeaseExpiredException" => Kind::Fenced,
        "NSQuotaExceededException" | "DSQuotaExceededException" | "QuotaByStorageTypeExceededException" => {
            Kind::Full
        }
        "ParentNotDirectoryException"
        | "InvalidPathException"
        | "PathComponentTooLongException"
        | "FSLimitException$PathComponentTooLongException"
        | "FSLimitException$MaxDirectoryItemsExceededException"
        | "UnsupportedOperationException"
        | "RpcNoSuchMethodException" => Kind::Invalid,
        // Safe mode, standby, too few DataNodes, and whatever a NameNode says in distress.
        _ if message.contains("Unexpected BlockUCState") => Kind::Fenced,
        _ => Kind::Unavailable,
    }
}

/// The first line, after the class's short name; the rest is a Java stack.
fn reason(error: &HdfsError) -> String {
    let text = match error {
        HdfsError::RPCError(class, message) | HdfsError::FatalRPCError(class, message) => {
            format!("{}: {}", last_segment(class), first_line(message))
        }
        // The rest is numbers.
        HdfsError::GSSAPIError(.., message) => format!("Kerberos: {}", first_line(message)),
        other => first_line(&other.to_string()).to_owned(),
    };
    match text.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end()
}

fn last_segment(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rpc(class: &str, message: &str) -> HdfsError {
        HdfsError::RPCError(class.to_owned(), message.to_owned())
    }

    #[test]
    fn kinds_follow_the_java_class() {
        let cases = [
            ("org.apache.hadoop.hdfs.server.namenode.SafeModeException", "in safe mode", Kind::Unavailable),
            ("org.apache.hadoop.ipc.RetriableException", "...SafeModeException", Kind::Unavailable),
            ("org.apache.hadoop.security.AccessControlException", "Permission denied", Kind::Denied),
            ("org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException", "No lease", Kind::Fenced),
            ("org.apache.hadoop.hdfs.protocol.DSQuotaExceededException", "quota", Kind::Full),
            ("java.io.FileNotFoundException", "Parent directory doesn't exist", Kind::Gone),
            ("java.io.IOException", "Unexpected BlockUCState: b is COMPLETE but not", Kind::Fenced),
            ("java.io.IOException", "could only be replicated to 0 nodes", Kind::Unavailable),
        ];
        for (class, message, kind) in cases {
            assert_eq!(failure(rpc(class, message)).kind, kind, "{class}");
        }
    }

    #[test]
    fn a_file_that_is_gone_fences_its_writer_only() {
        let gone = || rpc("java.io.FileNotFoundException", "File does not exist: /x\n\tat java.x(Y.java:1)");
        assert_eq!(failure(gone()).kind, Kind::Gone);
        assert_eq!(of_writer(gone()).kind, Kind::Fenced);
        let away = rpc("org.apache.hadoop.hdfs.server.namenode.SafeModeException", "Cannot add block");
        assert_eq!(of_writer(away).kind, Kind::Unavailable);
    }

    #[test]
    fn people_see_one_line_without_the_stack() {
        let text =
            failure(rpc("a.b.SafeModeException", "Cannot create /x. Safe\n\tat a.b.C(D.java:1)\n")).reason;
        assert_eq!(text, "SafeModeException: Cannot create /x. Safe");
        let long = failure(rpc("E", &"é".repeat(1_000))).reason;
        assert!(long.ends_with("...") && long.chars().count() < 320, "{long}");
    }
}
