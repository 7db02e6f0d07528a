package spindle.yarn;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.yarn.api.ApplicationConstants;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.ApplicationSubmissionContext;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.LogAggregationContext;
import org.apache.hadoop.yarn.api.records.NodeReport;
import org.apache.hadoop.yarn.api.records.NodeState;
import org.apache.hadoop.yarn.api.records.Priority;
import org.apache.hadoop.yarn.api.records.QueueInfo;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.api.records.ResourceRequest;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.client.api.YarnClientApplication;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.exceptions.ApplicationNotFoundException;
import org.apache.hadoop.yarn.exceptions.YarnException;

/**
 * Checks a {@link Submission} against the cluster, puts its files in place, and submits it. What it does meanwhile
 * is printed for {@code spindle submit}, a JSON line each.
 */
final class Submitter {
    /** Files that were rotated away and may be fetched while the application runs; a node deletes what it fetched. */
    private static final String ROTATED = ".*\\.log\\.\\d+.*|windows\\.\\d+.*";
    /** Small: this JVM moves containers, not messages. A small young generation keeps what is resident at 80 MB. */
    private static final List<String> JAVA_OPTS = Arrays.asList("-Xmx64m", "-Xmn8m", "-Xss512k", "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=32m", "-XX:-UsePerfData", "-Xshare:auto",
            "-XX:+ExitOnOutOfMemoryError", "-XX:+IgnoreUnrecognizedVMOptions", "-Djava.net.preferIPv4Stack=true",
            "-Dhadoop.root.logger=WARN,console");

    private static final EnumSet<YarnApplicationState> ENDED =
            EnumSet.of(YarnApplicationState.FINISHED, YarnApplicationState.FAILED, YarnApplicationState.KILLED);
    private static final long RM_AWAY_MS = 15_000;

    private final PrintStream out;
    private final Submission wanted;
    private final Configuration conf = Hadoop.configuration();
    private final Sizes sizes = Sizes.of(conf);
    /** Three of its tasks wait for others: there must be room for them. */
    private final ExecutorService background = Executors.newFixedThreadPool(8);
    private Future<Staging> staging;
    private Future<Staging.Kept> binary;
    private Future<Staging.Kept> jar;
    private long step_began_ns;

    Submitter(Submission wanted, PrintStream out, long began_ns) {
        this.wanted = wanted;
        this.out = out;
        step_began_ns = began_ns;
        conf.setLong("yarn.resourcemanager.connect.max-wait.ms", RM_AWAY_MS);
        conf.setInt("ipc.client.connect.max.retries", 2);
        conf.setLong("yarn.client.application-client-protocol.poll-interval-ms", 50);
        // A file is closed once a DataNode has reported its block, a moment after it was written: by default that is
        // asked again after 400 ms. Doubled each time, ten waits are 20 s.
        conf.setInt("dfs.client.block.write.locateFollowingBlock.initial.delay.ms", 20);
        conf.setInt("dfs.client.block.write.locateFollowingBlock.retries", 10);
    }

    private void step(String name, String detail) {
        long now = System.nanoTime();
        out.println(Protocol.line("step", "name", name, "ms", (now - step_began_ns) / 1_000_000, "detail", detail));
        step_began_ns = now;
    }

    /** Says it, unless there is nothing to say. */
    private void warn(String text) {
        if (text != null) {
            out.println(Protocol.line("warning", "text", text));
        }
    }

    /** Returns once the application is accepted, and the staging folder swept. */
    void run() throws Exception {
        checkFiles();
        login();
        String user = UserGroupInformation.getCurrentUser().getShortUserName();
        // The file system is another server: it works while the ResourceManager is asked.
        staging = inBackground(() -> new Staging(wanted.staging, conf));
        binary = inBackground(() -> result(staging).keep("bin", Staging.BINARY, 0755, wanted.binary));
        jar = inBackground(() -> result(staging).keep("lib", Staging.JAR, 0644, wanted.jar));
        YarnClient yarn = YarnClient.createYarnClient();
        yarn.init(conf);
        yarn.start();
        YarnClientApplication application = connect(yarn);
        ApplicationSubmissionContext context = application.getApplicationSubmissionContext();
        ApplicationId id = context.getApplicationId();
        Future<ContainerLaunchContext> staged = inBackground(() -> stage(id, user));
        boolean submitting = false;
        try {
            check(yarn, application.getNewApplicationResponse().getMaximumResourceCapability());
            step("check", "queue " + wanted.queue);
            context.setAMContainerSpec(result(staged));
            step("stage", "binary " + (result(binary).reused ? "reused" : "uploaded"));
            fill(context);
            submitting = true;
            yarn.submitApplication(context);
        } catch (Exception e) {
            if (submitting) {
                // It may have been accepted although we were told otherwise; without its files it could not run.
                Log.attempt("kill of " + id, () -> yarn.killApplication(id));
            }
            // Nothing of an application that is not stays behind.
            Log.attempt("staging", () -> result(staged));
            Log.attempt("staging", () -> result(staging).fs.delete(appDir(id), true));
            throw e;
        }
        step("submit", "");
        out.println(Protocol.line("submitted", "app", id.toString(), "user", user, "app_dir", appDir(id).toString(),
                "am_memory_mb", sizes.rounded(wanted.am.memory_mb),
                "executor_memory_mb", sizes.rounded(wanted.executor.memory_mb)));
        out.flush();
        // Nobody waits for this any more.
        Log.attempt("sweep of " + wanted.staging, () -> new Sweep(result(staging), System.currentTimeMillis())
                .run(app -> life(yarn, app), new HashSet<>(Arrays.asList(result(binary).sha256, result(jar).sha256))));
    }

    private Path appDir(ApplicationId id) throws Exception {
        return result(staging).appDir(id.toString());
    }

    private static Sweep.Life life(YarnClient yarn, String application) throws IOException, YarnException {
        try {
            ApplicationReport report = yarn.getApplicationReport(ApplicationId.fromString(application));
            return ENDED.contains(report.getYarnApplicationState()) ? Sweep.Life.ENDED : Sweep.Life.LIVE;
        } catch (ApplicationNotFoundException e) {
            return Sweep.Life.UNKNOWN;
        }
    }

    private YarnClientApplication connect(YarnClient yarn) throws YarnException, Refused {
        // With several ResourceManagers there is no such setting, but one for each.
        String rm = conf.get("yarn.resourcemanager.ha.rm-ids",
                conf.get(YarnConfiguration.RM_ADDRESS, YarnConfiguration.DEFAULT_RM_ADDRESS));
        try {
            YarnClientApplication application = yarn.createApplication();
            step("connect", rm);
            return application;
        } catch (IOException e) {
            throw new Refused(false, "no answer from the ResourceManager at " + rm + " (" + Log.cause(e)
                    + "): is it up, and is HADOOP_CONF_DIR right?");
        }
    }

    /** As whom the cluster is asked, where that has to be proved. */
    private void login() throws IOException, Refused {
        if (!UserGroupInformation.isSecurityEnabled()) {
            return;
        }
        if (!wanted.principal.isEmpty()) {
            UserGroupInformation.loginUserFromKeytab(wanted.principal, wanted.keytab);
            return;
        }
        UserGroupInformation user = UserGroupInformation.getCurrentUser();
        UserGroupInformation real = user.getRealUser() == null ? user : user.getRealUser();
        if (!real.hasKerberosCredentials()) {
            throw new Refused(true, "the cluster asks for Kerberos (hadoop.security.authentication), and there is no"
                    + " ticket: get one by kinit, or give --principal and --keytab");
        }
        warn("without --principal and --keytab the job reaches HDFS for as long as its delegation tokens are renewed: 7 days"
                + " by default (dfs.namenode.delegation.token.max-lifetime)");
    }

    private void checkFiles() throws Refused {
        List<String> files = new ArrayList<>(wanted.files);
        files.add(wanted.binary.path);
        files.add(wanted.jar.path);
        for (String file : files) {
            if (!Staging.isRemote(file) && !(new File(file).isFile() && new File(file).canRead())) {
                throw new Refused(true, file + " is not there, is no file, or may not be read");
            }
        }
    }

    /** Puts the application's own files in place; returns how to start its master. */
    private ContainerLaunchContext stage(ApplicationId id, String user) throws Exception {
        Staging staging = result(this.staging);
        Path dir = appDir(id);
        staging.makeAppDir(dir);
        // Most of the time for a file is spent waiting for the file system: all at once.
        List<Future<Settings.Resource>> for_executors = new ArrayList<>();
        List<Future<Settings.Resource>> for_driver = new ArrayList<>();
        for (Submission.Private file : wanted.privates) {
            (file.executors ? for_executors : for_driver)
                    .add(inBackground(() -> staging.write(dir, file.name, new ByteArrayInputStream(file.content()))));
        }
        for (String file : wanted.files) {
            for_executors.add(inBackground(
                    () -> staging.write(dir, Submission.baseName(file), new FileInputStream(file))));
        }
        List<Settings.Resource> executors = results(for_executors);
        List<Settings.Resource> all = results(for_driver);
        executors.add(result(binary).resource);
        Settings settings = new Settings();
        settings.v = Protocol.VERSION;
        settings.user = user;
        settings.app_dir = dir.toString();
        settings.binary_sha256 = result(binary).sha256;
        settings.driver_args = wanted.driver_args;
        settings.resources = executors;
        settings.needed = Stream.of(dir, result(binary).dir, result(jar).dir).filter(Objects::nonNull)
                .map(Path::toString).collect(Collectors.toList());
        settings.driver_memory_mb = sizes.rounded(wanted.am.memory_mb);
        settings.executor_memory_mb = sizes.rounded(wanted.executor.memory_mb);
        all.addAll(executors);
        all.add(result(jar).resource);
        byte[] content = Json.write(settings).getBytes(StandardCharsets.UTF_8);
        all.add(staging.write(dir, Settings.FILE, new ByteArrayInputStream(content)));
        Map<String, String> env = new HashMap<>();
        env.put("CLASSPATH", classpath());
        env.put("HADOOP_USER_NAME", user);
        env.put("MALLOC_ARENA_MAX", "1");
        String command = Shell.container("exec {{JAVA_HOME}}/bin/java" + Shell.words(JAVA_OPTS) + " "
                + ApplicationMaster.class.getName(), "shim.");
        return ContainerLaunchContext.newInstance(Hadoop.localResources(all), env, Collections.singletonList(command),
                null, Hadoop.tokensFor(staging.fs), null);
    }

    /** Our jar and the cluster's Hadoop, by names that the node replaces. */
    private String classpath() {
        return "{{PWD}}/" + Staging.JAR + ApplicationConstants.CLASS_PATH_SEPARATOR
                + String.join(ApplicationConstants.CLASS_PATH_SEPARATOR, conf.getTrimmedStrings(
                        YarnConfiguration.YARN_APPLICATION_CLASSPATH,
                        YarnConfiguration.DEFAULT_YARN_CROSS_PLATFORM_APPLICATION_CLASSPATH));
    }

    private void fill(ApplicationSubmissionContext context) {
        context.setApplicationName(wanted.name);
        context.setApplicationType("SPINDLE");
        context.setApplicationTags(wanted.tags);
        context.setQueue(wanted.queue);
        context.setPriority(Priority.newInstance(wanted.priority));
        context.setMaxAppAttempts(wanted.attempts);
        context.setAttemptFailuresValidityInterval(wanted.attempts_window_ms);
        context.setKeepContainersAcrossApplicationAttempts(false);
        context.setLogAggregationContext(LogAggregationContext.newInstance(null, null, ROTATED, null));
        Resource size = Resource.newInstance(wanted.am.memory_mb, wanted.am.cores);
        context.setResource(size);
        if (!wanted.label.isEmpty()) {
            context.setAMContainerResourceRequest(ResourceRequest.newInstance(Priority.newInstance(0),
                    ResourceRequest.ANY, size, 1, true, wanted.label));
        }
    }

    private void check(YarnClient yarn, Resource max) throws IOException, YarnException, Refused {
        checkMemory("the driver", "driver.memory", wanted.am.memory_mb, max);
        checkMemory("an executor", "executors.memory", wanted.executor.memory_mb, max);
        if ("file".equals(FileSystem.getDefaultUri(conf).getScheme())) {
            warn("fs.defaultFS is " + FileSystem.getDefaultUri(conf) + ", this machine's files: is HADOOP_CONF_DIR right?");
        }
        // The fair scheduler makes queues when they are asked for.
        if (yarn.getQueueInfo(wanted.queue) == null && !Sizes.isFair(conf)) {
            String names = yarn.getAllQueues().stream().filter(queue -> queue.getChildQueues().isEmpty())
                    .map(QueueInfo::getQueueName).sorted().collect(Collectors.joining(", "));
            throw new Refused(true, "no queue " + wanted.queue + ": set queue to one of " + names);
        }
        List<Integer> free_mb = new ArrayList<>();
        for (NodeReport node : yarn.getNodeReports(NodeState.RUNNING)) {
            Resource used = node.getUsed();
            long free = node.getCapability().getMemorySize() - (used == null ? 0 : used.getMemorySize());
            free_mb.add((int) free);
        }
        warn(sizes.shortage(free_mb, wanted.am.memory_mb, wanted.executor.memory_mb, wanted.executor.instances));
        warn(attemptsCut(conf, wanted.attempts));
    }

    /** YARN starts an application's master less often than it is asked to without a word: ours, else null. */
    static String attemptsCut(Configuration conf, int attempts) {
        // Since Hadoop 3.3 the limit may have a setting of its own.
        String global = "yarn.resourcemanager.am.global.max-attempts";
        String setting = conf.get(global, "").isEmpty() ? YarnConfiguration.RM_AM_MAX_ATTEMPTS : global;
        int max = conf.getInt(setting, YarnConfiguration.DEFAULT_RM_AM_MAX_ATTEMPTS);
        return attempts <= max ? null : "yarn.attempts is " + attempts + ", but the cluster allows " + max + " ("
                + setting + "): " + max + " is what counts";
    }

    private void checkMemory(String whose, String setting, int asked_mb, Resource max) throws Refused {
        int rounded_mb = sizes.rounded(asked_mb);
        if (rounded_mb > max.getMemorySize()) {
            throw new Refused(true, whose + " asks for " + asked_mb + " MB (" + rounded_mb + " MB as YARN rounds), but the"
                    + " cluster gives a container " + max.getMemorySize() + " MB at most: lower " + setting
                    + " or raise yarn.scheduler.maximum-allocation-mb");
        }
    }

    private <T> Future<T> inBackground(Callable<T> work) {
        return background.submit(() -> {
            try {
                return work.call();
            } catch (IOException e) {
                throw new Refused(false, "cannot use the staging folder " + wanted.staging + ": " + Log.cause(e));
            }
        });
    }

    private static <T> List<T> results(List<Future<T>> tasks) throws Exception {
        List<T> results = new ArrayList<>();
        for (Future<T> task : tasks) {
            results.add(result(task));
        }
        return results;
    }

    private static <T> T result(Future<T> task) throws Exception {
        try {
            return task.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
        }
    }
}
