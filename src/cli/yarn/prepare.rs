//! From a planned job to what the JVM is told: files and their hashes, sizes, private files.

use std::fs;

use anyhow::Context;

use super::files::absolute;
use crate::cli::Usage;
use crate::cli::submit::{DeployMode, Submission};
use crate::config::{Checkpoint, CheckpointAt, Job};
use crate::wire::{self, Secret};
use crate::yarn::{self, Files, Private, Size};

/// What the JVM needs in the application master's container beside the driver, MiB.
const SHIM_MEMORY_MB: u64 = 192;
/// What the driver finds its keytab by.
const KEYTAB: &str = "keytab";

/// Whom the application will belong to.
pub(super) fn user(planned: &Submission) -> String {
    // As Hadoop's own rule has it (`auth_to_local`), unless somebody has set another.
    let proved = planned.login.as_ref().and_then(|login| login.principal.split(['/', '@']).next());
    if let Some(proved) = proved {
        return proved.to_owned();
    }
    let named = std::env::var("HADOOP_USER_NAME").ok().filter(|name| !name.is_empty());
    planned.proxy_user.clone().or(named).unwrap_or_else(|| whoami::username().unwrap_or_default())
}

/// Where the job's checkpoint is.
pub(super) fn checkpoint(planned: &Submission, user: &str) -> Option<CheckpointAt> {
    let job = &planned.job;
    job.checkpoint.resolve(&job.name, Some(&job.yarn.staging_of(user)))
}

/// Everything that the ResourceManager and the containers need to know.
pub(super) fn submission(
    planned: &Submission,
    deploy_mode: DeployMode,
    secret: &Secret,
    user: &str,
    files: Files,
) -> anyhow::Result<yarn::Submission> {
    let yarn = &planned.job.yarn;
    let checkpoint = checkpoint(planned, user);
    // Where that is, only the submitting user's staging folder tells; containers get it in words.
    let job = &Job { checkpoint: checkpoint.map_or(Checkpoint::None, Checkpoint::At), ..planned.job.clone() };
    let mut private = vec![
        Private::text("job.json", job.to_handover().context("write the job down")?, false),
        Private::hex("secret", secret.to_hex(), true),
    ];
    let mut driver_args = Vec::new();
    let (mut principal, mut keytab) = (String::new(), String::new());
    if let Some(login) = &planned.login {
        (principal, keytab) = (login.principal.clone(), absolute(&login.keytab)?);
        let content =
            fs::read(&login.keytab).map_err(|error| Usage(format!("--keytab {keytab}: {error}")))?;
        private.push(Private::hex(KEYTAB, wire::hex(&content), false));
        driver_args.extend(["--principal", &principal, "--keytab", KEYTAB].map(str::to_owned));
    }
    if !job.env.is_empty() {
        private.push(Private::text("env.json", serde_json::to_string(&job.env)?, true));
        driver_args.extend(["--env-file".to_owned(), "env.json".to_owned()]);
    }
    if deploy_mode == DeployMode::Client && !planned.keep {
        driver_args.extend(["--follow-ms".to_owned(), job.yarn.client_timeout.ms().to_string()]);
    }
    if let Some(from) = &planned.from {
        driver_args.extend(["--from".to_owned(), from.to_string()]);
    }
    if planned.relabel {
        driver_args.push("--relabel".to_owned());
    }
    if planned.take_over {
        driver_args.push("--take-over".to_owned());
    }
    Ok(yarn::Submission {
        v: yarn::VERSION,
        principal,
        keytab,
        staging: yarn.staging_of(user),
        files,
        private,
        name: job.name.clone(),
        queue: yarn.queue.clone(),
        tags: yarn.tags.clone(),
        priority: yarn.priority,
        label: yarn.label.clone(),
        attempts: yarn.attempts,
        attempts_window_ms: yarn.attempts_window.ms(),
        am: Size {
            memory_mb: job.driver.memory.mib() + SHIM_MEMORY_MB,
            cores: job.driver.cores,
            instances: 1,
        },
        executor: Size {
            memory_mb: job.executors.memory.mib(),
            cores: job.executors.cores,
            instances: job.executors.instances,
        },
        driver_args,
    })
}
