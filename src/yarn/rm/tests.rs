//! The ResourceManager's answers as they were seen, from a listener on this machine that plays it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;

const RUNNING: &str = r#"{"app":{"id":"application_1_2","user":"ann","name":"TweetsApp","queue":"default",
    "state":"RUNNING","finalStatus":"UNDEFINED","progress":5.0,"trackingUI":"ApplicationMaster",
    "trackingUrl":"http://rm1:8088/proxy/application_1_2/","diagnostics":"","clusterId":1,
    "applicationType":"SPINDLE","startedTime":7,"amRPCAddress":"nm1:4040"}}"#;

/// Answers one request a connection with what is given, in turn; returns the requests.
fn play(answers: Vec<(u16, &'static str)>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let playing = thread::spawn(move || {
        let answer = |(code, text): (u16, &str)| {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(tcp.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            let bytes = text.len();
            write!(tcp, "HTTP/1.1 {code} x\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n{text}")
                .unwrap();
            head.lines().next().unwrap_or_default().to_owned() + &String::from_utf8_lossy(&body)
        };
        answers.into_iter().map(answer).collect()
    });
    (address, playing)
}

#[test]
fn an_application_is_read_and_its_driver_found() {
    let (address, playing) = play(vec![(200, RUNNING)]);
    let app = ResourceManager::at(vec![address]).application("application_1_2").unwrap();
    assert_eq!((app.state, app.final_status, app.is_over()), (State::Running, FinalStatus::Undefined, false));
    assert_eq!(app.drivers(), ["http://nm1:4040", "http://rm1:8088/proxy/application_1_2"]);
    assert_eq!(playing.join().unwrap(), ["GET /ws/v1/cluster/apps/application_1_2 HTTP/1.1"]);
}

#[test]
fn a_standby_is_passed_over() {
    let (first, _one) = play(vec![(307, "")]);
    let (second, _two) = play(vec![(200, "This is standby RM. The redirect url is: /x")]);
    let (third, _three) = play(vec![(200, r#"{"apps":{}}"#)]);
    assert_eq!(ResourceManager::at(vec![first, second, third]).applications().unwrap(), []);
}

#[test]
fn whichever_is_in_charge_is_asked_and_told() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (standby, _one) = play(vec![(200, "This is standby RM. The redirect url is: /x"), (307, "")]);
    let (active, playing) = play(vec![(200, RUNNING), (202, "{}")]);
    let rm = ResourceManager::at(vec![format!("http://{closed}"), standby, active]);
    assert_eq!(rm.application("application_1_2").unwrap().user, "ann");
    rm.kill("application_1_2", "ann").unwrap();
    assert_eq!(playing.join().unwrap().len(), 2);
}

#[test]
fn when_none_is_in_charge_all_are_named() {
    let (first, _one) = play(vec![(307, "")]);
    let (second, _two) = play(vec![(200, "This is standby RM. The redirect url is: /x")]);
    let error = ResourceManager::at(vec![first.clone(), second.clone()]).applications().unwrap_err();
    assert!(matches!(error, RmError::Unreachable { .. }), "{error}");
    let told = format!("ask the ResourceManager at {first}, {second}: it is on standby");
    assert!(error.to_string().starts_with(&told), "{error}");
}

#[test]
fn the_list_is_of_our_applications_that_are_not_over_by_their_age() {
    let both = r#"{"apps":{"app":[
        {"id":"b","name":"n","user":"u","queue":"q","state":"ACCEPTED","finalStatus":"UNDEFINED","startedTime":9},
        {"id":"a","name":"n","user":"u","queue":"q","state":"RUNNING","finalStatus":"UNDEFINED","startedTime":8}]}}"#;
    let (address, playing) = play(vec![(200, both)]);
    let apps = ResourceManager::at(vec![address]).applications().unwrap();
    assert_eq!(apps.iter().map(|app| app.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let path = "apps?states=NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING&applicationTypes=SPINDLE";
    assert_eq!(playing.join().unwrap(), [format!("GET /ws/v1/cluster/{path} HTTP/1.1")]);
}

#[test]
fn only_what_runs_has_a_driver_and_only_where_yarn_knows_one() {
    let app = |state: &str, rpc: &str, tracking: &str| -> Application {
        let app = format!(
            r#"{{"id":"a","name":"n","user":"u","queue":"q","state":"{state}","finalStatus":"NEWER","startedTime":9,
                "amRPCAddress":"{rpc}","trackingUrl":"{tracking}","diagnostics":"\n  why \n\tat java"}}"#
        );
        serde_json::from_str(&app).unwrap()
    };
    for (state, over) in [
        ("NEW", false),
        ("NEW_SAVING", false),
        ("SUBMITTED", false),
        ("ACCEPTED", false),
        ("FINISHED", true),
        ("FAILED", true),
        ("KILLED", true),
    ] {
        let app = app(state, "h:1", "http://p/");
        assert_eq!((app.is_over(), app.drivers()), (over, vec![]), "{state}");
    }
    let unknown = app("RUNNING", "N/A:0", "UNASSIGNED");
    assert_eq!((unknown.drivers(), unknown.final_status), (vec![], FinalStatus::Other));
    assert_eq!(unknown.why(), Some("why"));
}

#[test]
fn a_kill_names_the_user_and_a_refusal_its_reason() {
    let no =
        r#"{"RemoteException":{"exception":"X","message":"User bob cannot\n\tat java","javaClassName":"x"}}"#;
    let (address, playing) = play(vec![(202, "{}"), (403, no)]);
    let rm = ResourceManager::at(vec![address]);
    rm.kill("application_1_2", "ann").unwrap();
    let error = rm.kill("application_1_2", "bob").unwrap_err().to_string();
    assert_eq!(error, "the ResourceManager refuses: User bob cannot");
    let asked = playing.join().unwrap();
    let wanted = "PUT /ws/v1/cluster/apps/application_1_2/state?user.name=ann HTTP/1.1{\"state\":\"KILLED\"}";
    assert_eq!(asked[0], wanted);
}

#[test]
fn what_is_not_there_is_named() {
    let (address, _playing) = play(vec![(404, r#"{"RemoteException":{"message":"app not found"}}"#)]);
    let error = ResourceManager::at(vec![address]).application("application_1_9").unwrap_err().to_string();
    assert!(error.starts_with("no application_1_9 on this cluster"), "{error}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = ResourceManager::at(vec![format!("http://{closed}")]).applications().unwrap_err().to_string();
    assert!(error.starts_with(&format!("ask the ResourceManager at http://{closed}: ")), "{error}");
}
