//! The secret's file: private, exclusive, and clear about what is wrong with it.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_written_secret_is_private_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let secret = Secret::generate().unwrap();
    secret.write(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o400);
    assert_eq!(Secret::read(&path).unwrap(), secret);
    assert_ne!(Secret::generate().unwrap(), secret);
}

#[test]
fn a_secret_in_place_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let first = Secret::generate().unwrap();
    first.write(&path).unwrap();
    let error = Secret::generate().unwrap().write(&path).unwrap_err();
    assert!(error.to_string().starts_with("write secret /"), "{error}");
    assert_eq!(Secret::read(&path).unwrap(), first);
}

#[test]
fn a_secret_that_others_may_use_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    Secret::generate().unwrap().write(&path).unwrap();
    for mode in [0o440, 0o404, 0o420, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Secret::read(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("(mode {mode:04o}); run `chmod 400 /")), "{error}");
    }
    for mode in [0o400, 0o500, 0o600] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Secret::read(&path).unwrap();
    }
}

#[test]
fn only_exactly_32_bytes_of_a_plain_file_are_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for length in [0, 31, 33, 65] {
        fs::write(&path, vec![7; length]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Secret::read(&path), Err(SecretError::WrongContent { .. })), "{length} bytes");
    }
    assert!(matches!(Secret::read(folder.path()), Err(SecretError::WrongContent { .. })));
    assert!(matches!(Secret::read(&folder.path().join("none")), Err(SecretError::Read { .. })));
}

#[test]
fn debug_shows_nothing() {
    assert_eq!(format!("{:?}", Secret([7; 32])), "***");
}

#[test]
fn derived_keys_are_hkdf_sha256_without_salt() {
    // Computed with Python's hmac: PRK = HMAC(32 zero bytes, IKM); T(1) = HMAC(PRK, info || 0x01).
    let key = Secret([7; 32]).derive("purpose");
    assert_eq!(
        key.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "09858fef5f5935adaa938c12a6fcabd66cf5ccf67afad05a5c034209fd632fb9"
    );
    assert_ne!(Secret([7; 32]).derive("other"), key);
}
