//! Flags, `--conf`, properties file and job file: what each means, and which wins.

use std::path::Path;

use super::*;
use crate::cli::{Command, parse};
use crate::config::{Ports, Size, Timespan};
use crate::store::Login;

const JOB: &str = "name: T\nsource: {brokers: [b], topics: [t], group: g}\nexecutors: {instances: 3}\n";

/// Plans `flags` for a job file with three executors; `@` in the flags is its directory.
fn planned(flags: &str) -> Result<Submission, String> {
    with_properties(flags, "")
}

fn with_properties(flags: &str, properties: &str) -> Result<Submission, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("job.yaml"), JOB).unwrap();
    std::fs::write(dir.path().join("spark.conf"), properties).unwrap();
    let place = dir.path().display().to_string();
    let line = format!("spindle submit {} {place}/job.yaml", flags.replace('@', &place));
    let command = parse(line.split_whitespace().map(Into::into)).map_err(|error| error.to_string())?;
    let Command::Submit(args) = command else { panic!("submit") };
    plan(&args).map_err(|error| format!("{error:#}").replace(&place, ""))
}

fn master(flags: &str) -> Result<Master, String> {
    planned(flags).map(|submission| submission.master)
}

fn refused(flags: &str) -> String {
    planned(flags).map(|_| ()).unwrap_err()
}

#[test]
fn masters_of_spark_are_read() {
    let yarn = |deploy_mode| Ok(Master::Yarn { deploy_mode });
    assert_eq!(master(""), Ok(Master::Local { executors: 3 }), "without a master: the job's own number");
    assert_eq!(master("--master local"), Ok(Master::Local { executors: 1 }));
    assert_eq!(master("--master local[4]"), Ok(Master::Local { executors: 4 }));
    assert_eq!(master("--master local[4,2]"), Ok(Master::Local { executors: 4 }));
    assert_eq!(master("--master yarn"), yarn(DeployMode::Client));
    assert_eq!(master("--master yarn --deploy-mode cluster"), yarn(DeployMode::Cluster));
    assert_eq!(master("--master yarn-cluster"), yarn(DeployMode::Cluster));
    assert_eq!(master("--master yarn-client"), yarn(DeployMode::Client));
    assert_eq!(
        master("--conf spark.master=yarn --conf spark.submit.deployMode=cluster"),
        yarn(DeployMode::Cluster)
    );
}

#[test]
fn local_star_takes_every_core() {
    let cores = u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    assert_eq!(master("--master local[*]"), Ok(Master::Local { executors: cores }));
}

#[test]
fn wrong_masters_are_refused() {
    insta::assert_snapshot!(refused("--master spark://h:7077"), @"--master: `spark://h:7077` is no master of Spindle; yarn, local, local[N] or local[*]");
    insta::assert_snapshot!(refused("--master local[0]"), @"--master: `local[0]`: write local[N] with N from 1 to 1000, or local[*]");
    insta::assert_snapshot!(refused("--master local[2] --deploy-mode cluster"), @"deploy mode cluster needs --master yarn; a local job runs in this process tree");
    insta::assert_snapshot!(refused("--master yarn-client --deploy-mode cluster"), @"--deploy-mode contradicts the old spelling of --master; write --master yarn");
    insta::assert_snapshot!(refused("--master yarn --deploy-mode both"), @"--deploy-mode: `both` is no deploy mode; client or cluster");
}

#[test]
fn flags_set_job_keys() {
    let flags = "--name N --queue q --num-executors 5 --executor-cores 2 --executor-memory 1g --driver-memory 512 \
                 --driver-cores 4 --files a,b";
    let job = planned(&format!("--master yarn {flags}")).unwrap().job;
    assert_eq!((job.name.as_str(), job.yarn.queue.as_str()), ("N", "q"));
    assert_eq!((job.executors.instances, job.executors.cores, job.driver.cores), (5, 2, 4));
    assert_eq!((job.executors.memory, job.driver.memory), (Size::from_mib(1024), Size::from_mib(512)));
    assert_eq!(job.files, ["a", "b"]);
}

#[test]
fn local_n_beats_num_executors() {
    assert_eq!(planned("--master local[4] --num-executors 9").unwrap().job.executors.instances, 4);
}

#[test]
fn known_spark_properties_set_job_keys() {
    let properties = "\
        spark.streaming.kafka.maxRatePerPartition 100\n\
        spark.yarn.maxAppAttempts=4\n\
        spark.yarn.am.attemptFailuresValidityInterval 60000\n\
        spark.yarn.tags a,b\n\
        spark.yarn.stagingDir hdfs:///stage/\n\
        spark.yarn.appMasterEnv.A 1\n\
        spark.executorEnv.B 2\n\
        spark.yarn.priority 7\n\
        spark.yarn.am.nodeLabelExpression fast\n\
        spark.yarn.exclude.nodes h1,h2\n\
        spark.ui.port 4050\n";
    let job = with_properties("--properties-file @/spark.conf", properties).unwrap().job;
    assert_eq!(job.source.max_rate_per_partition, 100);
    assert_eq!((job.yarn.attempts, job.yarn.priority, job.yarn.label.as_str()), (4, 7, "fast"));
    assert_eq!(job.yarn.attempts_window, Timespan::from_secs(60), "a bare number is in milliseconds there");
    assert_eq!(
        (job.yarn.tags, job.yarn.exclude_nodes),
        (vec!["a".into(), "b".into()], vec!["h1".into(), "h2".into()])
    );
    assert_eq!(job.yarn.staging, "hdfs:///stage/.spindle");
    assert_eq!((job.env["A"].as_str(), job.env["B"].as_str()), ("1", "2"));
    assert_eq!(job.http.port, Ports::One(4050));
}

#[test]
fn flags_beat_conf_beats_properties_beats_job_file() {
    let properties = "spark.executor.instances 5\nspark.app.name P\nsource.group p\n";
    let instances = |flags: &str| {
        let flags = format!("--master yarn --properties-file @/spark.conf {flags}");
        with_properties(&flags, properties).unwrap().job.executors.instances
    };
    assert_eq!(instances(""), 5);
    assert_eq!(instances("--conf spark.executor.instances=6"), 6);
    assert_eq!(instances("--conf spark.executor.instances=6 --conf executors.instances=7"), 7, "later wins");
    assert_eq!(instances("--num-executors 8 --conf spark.executor.instances=6"), 8);
    let job = with_properties("--properties-file @/spark.conf -c source.group=c", properties).unwrap().job;
    assert_eq!((job.name.as_str(), job.source.group.as_str()), ("P", "c"));
}

#[test]
fn conf_without_spark_sets_job_keys() {
    let job = planned("-c source.properties.client.id=007 --conf top=3 --conf window={length:10s,slide:1s}");
    insta::assert_snapshot!(job.map(|_| ()).unwrap_err(), @"--conf: window.length:10s: unknown key; did you mean length?");
    let job = planned("-c source.properties.client.id=007 --conf top=3 -c console=json").unwrap().job;
    assert_eq!((job.source.properties["client.id"].as_str(), job.top), ("007", 3));
}

#[test]
fn wrong_settings_name_what_set_them() {
    insta::assert_snapshot!(refused("--conf source.grop=x"), @"--conf: source.grop: unknown key; did you mean source.group?");
    insta::assert_snapshot!(refused("--conf source.group"), @"--conf: write KEY=VALUE, as in --conf source.group=tweets_shadow");
    insta::assert_snapshot!(refused("--num-executors many"), @r#"--num-executors: executors.instances: "many", expected a whole number from 0"#);
    insta::assert_snapshot!(refused("--conf spark.executor.memory=1X"), @"--conf spark.executor.memory: executors.memory: `1X` is not a size; write a whole number and K, M or G, as in 256M");
    insta::assert_snapshot!(with_properties("--properties-file @/spark.conf", "\nwindow.length 5\n").unwrap_err(), @"/spark.conf:2: window.length: 5 has no unit, so seconds and milliseconds cannot be told apart; write 5s or 5ms");
    insta::assert_snapshot!(refused("--properties-file @/none"), @"/none: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn flags_without_effect_get_one_notice() {
    let notices = planned("--class A --jars x.jar --supervise --driver-java-options -Xmx1g").unwrap().notices;
    insta::assert_snapshot!(notices.join("\n"), @"--class, --jars, --driver-java-options, --supervise: taken as spark-submit does, without effect: Spindle runs no Java");
}

#[test]
fn properties_without_meaning_get_a_notice_each() {
    let notices = planned("-c spark.foo=1 -c spark.serializer=x").unwrap().notices;
    insta::assert_snapshot!(notices.join("\n"), @r"
    --conf spark.foo: Spindle does not know this property; it has no effect
    --conf spark.serializer: without effect: Spindle has no JVM in the data path
    ");
}

#[test]
fn local_page_stays_on_this_machine_unless_the_job_says_otherwise() {
    let http = planned("").unwrap().job.http;
    assert_eq!((http.bind.to_string().as_str(), http.port), ("127.0.0.1", Ports::Range(4040, 4056)));
    let http = planned("-c http.bind=0.0.0.0 -c http.port=1").unwrap().job.http;
    assert_eq!((http.bind.to_string().as_str(), http.port), ("0.0.0.0", Ports::One(1)));
    assert_eq!(planned("--master yarn").unwrap().job.http.port, Ports::Any);
}

#[test]
fn from_is_a_word_or_a_time() {
    let from = |text: &str| planned(&format!("--from {text}")).map(|submission| submission.from);
    assert_eq!(from("group"), Ok(Some(From::Group)));
    assert_eq!(from("2026-11-22T10:00:00Z"), Ok(Some(From::Time("2026-11-22T10:00:00Z".parse().unwrap()))));
    assert!(from("yesterday").is_err());
}

#[test]
fn ends_are_put_back_only_in_a_checkpoint() {
    insta::assert_snapshot!(refused("--relabel"), @"--relabel has a meaning only with --from checkpoint");
    insta::assert_snapshot!(refused("--relabel --from latest"), @"--relabel has a meaning only with --from checkpoint");
    assert!(planned("--relabel --from checkpoint -c checkpoint.path=file:///c").unwrap().relabel);
    assert!(!planned("").unwrap().relabel);
}

#[test]
fn flags_of_one_mode_are_refused_in_another() {
    insta::assert_snapshot!(refused("--keep"), @"--keep has a meaning only with --master yarn --deploy-mode client");
    insta::assert_snapshot!(refused("--master yarn --wait"), @"--wait has a meaning only with --master yarn --deploy-mode cluster");
    insta::assert_snapshot!(refused("--master yarn --kill-on-exit"), @"--kill-on-exit has a meaning only with --master yarn --deploy-mode cluster");
    assert!(planned("--master yarn --keep").unwrap().keep);
    assert!(planned("--master yarn-cluster --wait --kill-on-exit").unwrap().kill_on_exit);
    assert!(planned("--master yarn-cluster -c spark.yarn.submit.waitAppCompletion=true").unwrap().wait);
    assert!(planned("--replace --take-over").is_err());
}

#[test]
fn kerberos_needs_both_halves() {
    let submission = planned("--principal p --keytab k").unwrap();
    assert_eq!(submission.login, Some(Login { principal: "p".into(), keytab: "k".into() }));
    insta::assert_snapshot!(refused("--conf spark.yarn.keytab=k"), @"a principal needs a keytab, and a keytab a principal");
    insta::assert_snapshot!(refused("--proxy-user u -c spark.yarn.keytab=k -c spark.yarn.principal=p"), @"--proxy-user and a keytab exclude each other: a proxied user has no keytab");
}

#[test]
fn kill_and_status_need_no_job_file() {
    for flag in ["--kill", "--status"] {
        let line = ["spindle", "submit", flag, "application_1_2"];
        let Ok(Command::Submit(args)) = parse(line.map(Into::into)) else { panic!("{flag}") };
        assert_eq!(args.kill.or(args.status), Some(App::Id("application_1_2".to_owned())));
    }
}

#[test]
fn replaced_job_runs_as_it_is() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/tweets.yaml");
    let Ok(Command::Submit(args)) =
        parse(["spindle", "submit"].map(Into::into).into_iter().chain([file.into()]))
    else {
        panic!("submit")
    };
    let job = plan(&args).unwrap().job;
    assert_eq!((job.name.as_str(), job.source.topics[0].as_str()), ("TweetsApp", "tweets_poc"));
    assert_eq!((job.window.slides(), job.top, job.executors.instances), (300, 10, 2));
}
