//! The token's file: found by the same user, by nobody else, and gone with its process.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn the_same_user_finds_the_token_while_its_process_lives() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("spindle").join("token-4040");
    let made = LocalToken::create_at(path.clone()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o400);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
    assert!(made.token().admits(read(&path).unwrap().reveal()));
    drop(made);
    let error = read(&path).unwrap_err().to_string();
    assert!(error.ends_with("token-4040: No such file or directory (os error 2)"), "{error}");
}

#[test]
fn a_token_left_behind_is_replaced() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("spindle").join("token-4040");
    let old = LocalToken::create_at(path.clone()).unwrap();
    let new = LocalToken::create_at(path.clone()).unwrap();
    assert!(!old.token().admits(new.token().reveal()));
    assert!(new.token().admits(read(&path).unwrap().reveal()));
}

#[test]
fn a_folder_that_others_may_use_is_not_trusted() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("spindle");
    fs::create_dir(&folder).unwrap();
    for mode in [0o755, 0o710, 0o777] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let error = LocalToken::create_at(folder.join("token-1")).unwrap_err();
        assert!(matches!(error, TokenError::FolderNotPrivate { .. }), "{error}");
        assert!(matches!(read(&folder.join("token-1")), Err(TokenError::FolderNotPrivate { .. })));
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let link = temporary.path().join("link");
    symlink(&folder, &link).unwrap();
    assert!(matches!(LocalToken::create_at(link.join("token-1")), Err(TokenError::FolderNotPrivate { .. })));
}

#[test]
fn a_file_that_holds_no_token_is_refused_without_showing_it() {
    let temporary = tempfile::tempdir().unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let path = temporary.path().join("token-1");
    for content in ["", "hello\r\nX-Evil: 1", &"a".repeat(257)] {
        fs::write(&path, content).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.ends_with("token-1: not a token"), "{error}");
    }
}

#[test]
fn the_folder_is_the_runtime_folder_or_ones_own_in_tmp() {
    assert_eq!(folder(Some("/run/user/7".into()), 7), Path::new("/run/user/7/spindle"));
    assert_eq!(folder(None, 7), Path::new("/tmp/spindle-7"));
    assert_eq!(folder(Some("".into()), 7), Path::new("/tmp/spindle-7"));
}

#[test]
fn a_token_admits_itself_alone_and_is_not_shown() {
    let token = Token::of(&[0xab; 32]);
    assert!(token.admits(&"ab".repeat(32)));
    for wrong in ["", "ab", &"AB".repeat(32), &("ab".repeat(32) + " ")] {
        assert!(!token.admits(wrong), "{wrong:?}");
    }
    assert_eq!(format!("{token:?}"), "***");
}
