package spindle.yarn;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterResponse;
import org.apache.hadoop.yarn.api.records.Resource;

/**
 * The main process of the application's first container: starts the driver as its child and makes of YARN what the
 * driver wants. It knows containers and counts nothing.
 *
 * <p>One thread decides: {@link #run} takes what other threads {@link #post} (those of the {@link DriverProcess}, the
 * {@link Heartbeat}, the {@link Launcher}), one after the other, and looks at the clock. It waits for nobody.
 *
 * <p>Only a finish from the driver unregisters. Every other end leaves the attempt unregistered, with an exit code
 * of {@link ExitCode}, so that the ResourceManager starts the next one.
 */
final class ApplicationMaster {
    private static final long PING_EVERY_MS = 10_000;
    private static final long SILENT_MS = 60_000;
    private static final long RM_LOST_MS = 10_000;
    /** For the driver to end, once its stdout or its stdin is closed. */
    private static final long DRIVER_ENDS_MS = 5_000;
    /** For its last lines to arrive, once it has ended. */
    private static final long LAST_LINES_MS = 1_000;
    private static final long STOPS_MS = 2_000;
    /** For the ResourceManager to answer when we are done: YARN's default until it forgets about us. */
    private static final long UNREGISTER_MS = 600_000;
    /** Between signs of life in the staging folder, where a {@link Sweep} waits for days until it misses one. */
    static final long STILL_NEEDED_MS = TimeUnit.HOURS.toMillis(6);
    private static final long TICK_MS = 250;
    private static final int POSTED_MAX = 64;
    /** The only place in a container's environment that says its attempt; the groups are the application and that. */
    private static final Pattern CONTAINER_NAME = Pattern.compile("container_(?:e\\d+_)?(\\d+)_(\\d+)_(\\d+)_\\d+");

    /** What another thread has to say, for the deciding one to act on. */
    interface News {
        void act() throws Malformed;
    }

    private final Settings settings;
    private final Map<String, String> env;
    private final File dir;
    private final LongSupplier clock;
    private final LinkedBlockingQueue<News> posted = new LinkedBlockingQueue<>(POSTED_MAX);
    private final Heartbeat heartbeat;
    private final Plan plan;
    private volatile DriverProcess driver;
    /** Null, as the launcher is, until we are registered. */
    private Cluster cluster;
    private Launcher launcher;

    private boolean registering;
    private boolean finishing;
    private boolean unregistered;
    private boolean stdout_ended;
    private Integer driver_code;
    /** When what is under way must be over. */
    private volatile long deadline_ms = Long.MAX_VALUE;
    private long started_ms;
    private long pings;
    private long last_ping_ms;
    private long last_pong_ms;
    private long last_answer_ms;
    private long last_needed_ms;
    private long rm_told_ms;
    private boolean rm_lost;
    /** Set once: the exit code. */
    private Integer end;

    /** {@code dir} is the container's folder, {@code clock} is in ms. */
    ApplicationMaster(Settings settings, Map<String, String> env, File dir, Callable<Cluster> connect,
            LongSupplier clock) {
        this.settings = settings;
        this.env = env;
        this.dir = dir;
        this.clock = clock;
        plan = new Plan(settings.user, settings.spread_timeout_ms);
        heartbeat = new Heartbeat(connect, env.get("NM_HOST"), settings, this);
    }

    public static void main(String[] args) {
        int code = ExitCode.BAD_SETTINGS;
        try {
            File file = new File(Settings.FILE);
            Settings settings = Settings.parse(new String(Files.readAllBytes(file.toPath()), StandardCharsets.UTF_8));
            LongSupplier clock = () -> System.nanoTime() / 1_000_000;
            ApplicationMaster master = new ApplicationMaster(settings, System.getenv(), new File("."),
                    () -> new YarnCluster(settings), clock);
            Runtime.getRuntime().addShutdownHook(new Thread(master::terminated, "terminated"));
            code = master.run();
        } catch (Throwable e) { // then threads that are left must not keep the process
            e.printStackTrace();
            Log.say("cannot go on: " + Log.cause(e));
        }
        System.err.flush();
        // Hadoop's shutdown hooks could hang, and would have nothing to do: all is said and deleted.
        Runtime.getRuntime().halt(code);
    }

    /** Runs the application to its end, or to that of this attempt. Returns the exit code. */
    int run() throws IOException, InterruptedException, Malformed {
        start();
        while (end == null) {
            News next = posted.poll(TICK_MS, TimeUnit.MILLISECONDS);
            try {
                if (next != null) {
                    next.act();
                }
            } catch (Malformed e) {
                end(ExitCode.BROKEN_PROTOCOL, "the driver broke the protocol: " + e.getMessage());
            }
            tick();
            carryOut(plan.take(clock.getAsLong()));
        }
        if (end != ExitCode.OK) {
            driver.kill();
            plan.stopAll();
            carryOut(plan.take(clock.getAsLong()));
        }
        if (launcher != null) {
            launcher.close(STOPS_MS);
        }
        return end;
    }

    private void start() throws IOException, Malformed {
        String container = variable("CONTAINER_ID");
        Matcher name = containerName(container);
        String application = "application_" + name.group(1) + "_" + name.group(2);
        int attempt = Integer.parseInt(name.group(3));
        String log_dir = variable("LOG_DIRS").split(",")[0];
        List<String> argv = new ArrayList<>(Arrays.asList("./spindle", "driver", "--job", "job.json",
                "--secret-file", "secret", "--attempt", Integer.toString(attempt)));
        argv.addAll(settings.driver_args);
        List<String> command = Arrays.asList("/bin/bash", "-c", Shell.verified(settings.binary_sha256, argv));
        driver = DriverProcess.start(command, dir, new File(log_dir, "driver.stderr"), this);
        started_ms = clock.getAsLong();
        last_pong_ms = started_ms;
        last_ping_ms = started_ms;
        last_needed_ms = started_ms;
        send(Protocol.line("hello", "v", Protocol.VERSION, "app", application, "app_dir", settings.app_dir,
                "attempt", attempt, "container", container, "host", variable("NM_HOST"), "log_dir", log_dir,
                "user", settings.user, "proxy_base", "/proxy/" + application,
                "container_memory_mb", settings.driver_memory_mb));
        heartbeat.start();
    }

    /** By hand: Hadoop's own parser would load its configuration before the driver is started. */
    static Matcher containerName(String id) throws Malformed {
        Matcher match = CONTAINER_NAME.matcher(id);
        Malformed.unless(match.matches(),
                "CONTAINER_ID is \"" + id + "\", which is no container's id: run this on YARN");
        return match;
    }

    private String variable(String name) throws Malformed {
        String value = env.getOrDefault(name, "");
        Malformed.unless(!value.isEmpty(), name + " is not set: run this as YARN's application master");
        return value;
    }

    /** SIGTERM: the driver gets it from YARN too; here only the attempt must end, unregistered, and at once. */
    private void terminated() {
        Log.say("told to end, unregistered");
        if (driver != null) {
            driver.terminate();
        }
        Runtime.getRuntime().halt(128 + 15);
    }

    /** Has the deciding thread do this; waits while it has much to do. */
    void post(News news) {
        try {
            posted.put(news);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Whether the driver is seen to end, and only its time to do so is left. */
    boolean isEnding() {
        return deadline_ms != Long.MAX_VALUE;
    }

    private void send(String line) {
        if (!driver.send(line)) {
            end(ExitCode.DRIVER_SILENT, "the driver does not read: " + DriverProcess.UNWRITTEN_MAX + " bytes wait for it");
        }
    }

    /** Ends the attempt; the first to do so says why. */
    void end(int code, String cause) {
        if (end == null) {
            Log.say(cause);
            end = code;
        }
    }

    private void carryOut(Plan.Steps steps) {
        if (launcher == null) {
            return; // not registered: the plan is empty
        }
        cluster.change(steps);
        heartbeat.carry(steps);
        steps.launches.forEach(launcher::launch);
        steps.stops.forEach(launcher::stop);
        steps.lines.forEach(this::send);
    }

    private void tick() {
        long now = clock.getAsLong();
        if (now - last_ping_ms >= PING_EVERY_MS) {
            last_ping_ms = now;
            send(Protocol.line("ping", "n", ++pings));
        }
        if (launcher != null && now - last_needed_ms >= STILL_NEEDED_MS) {
            last_needed_ms = now;
            launcher.stillNeeded();
        }
        boolean alive = !stdout_ended && driver_code == null;
        if (alive && !finishing && now - last_pong_ms >= SILENT_MS) {
            end(ExitCode.DRIVER_SILENT, "the driver did not answer for " + SILENT_MS / 1000 + " s");
        }
        if (alive && !registering && !finishing && now - started_ms >= SILENT_MS) {
            end(ExitCode.DRIVER_SILENT, "the driver was not ready after " + SILENT_MS / 1000 + " s");
        }
        if (registering && now - last_answer_ms >= RM_LOST_MS && now - rm_told_ms >= RM_LOST_MS) {
            rm_lost = true;
            rm_told_ms = now;
            send(Protocol.line("rm", "state", "lost", "seconds", (now - last_answer_ms) / 1000));
        }
        boolean last = driver_code != null && (finishing ? unregistered : stdout_ended);
        if (last || now >= deadline_ms) {
            lastStep();
        }
        plan.tick(now);
    }

    /** The driver has ended, or its time to end is over, or the ResourceManager's to let us go. */
    private void lastStep() {
        if (unregistered) {
            end(ExitCode.OK, driver_code == null ? "the driver had to be killed" : "the driver ended with " + driver_code);
        } else if (finishing) {
            end(ExitCode.RM_REFUSED, "could not unregister: no ResourceManager for " + UNREGISTER_MS / 1000 + " s");
        } else {
            int code = driver_code != null && driver_code == ExitCode.WRONG_BINARY && !registering
                    ? ExitCode.WRONG_BINARY : ExitCode.DRIVER_ENDED;
            String how = driver_code == null ? "closed its stdout" : "ended with exit code " + driver_code;
            end(code, code == ExitCode.WRONG_BINARY
                    ? "spindle is missing in the container, or not the one that was submitted: submit again"
                    : "the driver " + how + " without a finish: " + driver.lastWords());
        }
    }

    // What others post.

    void hear(String line) throws Malformed {
        try {
            hear(Json.read(Protocol.Line.class, line, "message").type, line);
        } catch (Malformed e) {
            throw new Malformed(e.getMessage() + ": " + line.substring(0, Math.min(line.length(), 200)));
        }
    }

    private void hear(String type, String line) throws Malformed {
        switch (type) {
            case "ready":
                String http = Json.read(Protocol.Ready.class, line, type).http;
                Malformed.unless(http.matches("\\S+:[1-9]\\d{0,4}"), "ready.http is no host:port");
                driverReady(http);
                break;
            case "target":
                Malformed.unless(launcher != null, "target before registered");
                if (!finishing) {
                    plan.target(Target.parse(line), clock.getAsLong());
                }
                break;
            case "progress":
                double progress = Json.read(Protocol.Progress.class, line, type).value;
                Malformed.unless(!Double.isNaN(progress), "progress.value is missing");
                heartbeat.progress((float) Math.max(0, Math.min(1, progress)));
                break;
            case "finish":
                Protocol.Finish finish = Json.read(Protocol.Finish.class, line, type);
                Malformed.unless(finish.status.equals("SUCCEEDED") || finish.status.equals("FAILED"),
                        "finish.status is \"" + finish.status + "\", neither SUCCEEDED nor FAILED");
                driverFinished(finish);
                break;
            case "pong":
                last_pong_ms = clock.getAsLong();
                break;
            default:
                Log.say("the driver said \"" + type + "\", which this version does not know");
        }
    }

    private void driverReady(String http) {
        if (!registering) {
            registering = true;
            last_answer_ms = clock.getAsLong();
            rm_told_ms = last_answer_ms;
            heartbeat.ready(http);
        }
    }

    private void driverFinished(Protocol.Finish finish) {
        if (!finishing) {
            Log.say("finish " + finish.status + ": " + finish.diagnostics);
            finishing = true;
            deadline_ms = clock.getAsLong() + UNREGISTER_MS;
            heartbeat.finish(finish);
        }
    }

    void driverClosedStdout() {
        stdout_ended = true;
        driverEndsWithin(DRIVER_ENDS_MS);
    }

    void driverEnded(int code) {
        driver_code = code;
        driverEndsWithin(LAST_LINES_MS);
    }

    private void driverEndsWithin(long ms) {
        if (!finishing) {
            deadline_ms = Math.min(deadline_ms, clock.getAsLong() + ms);
        }
    }

    void registered(Cluster cluster, RegisterApplicationMasterResponse facts, int nodes) {
        this.cluster = cluster;
        launcher = new Launcher(cluster, plan, this);
        plan.registered(facts, nodes);
        last_answer_ms = clock.getAsLong();
        Resource max = facts.getMaximumResourceCapability();
        send(Protocol.line("registered", "max_memory_mb", max.getMemorySize(), "max_cores", max.getVirtualCores(),
                "queue", facts.getQueue(), "nodes", nodes, "executor_memory_mb", settings.executor_memory_mb));
    }

    void answered(AllocateResponse answer) {
        long now = clock.getAsLong();
        if (rm_lost) {
            rm_lost = false;
            send(Protocol.line("rm", "state", "back", "seconds", (now - last_answer_ms) / 1000));
        }
        last_answer_ms = now;
        plan.answer(answer, now);
    }

    void unregistered() {
        unregistered = true;
        deadline_ms = clock.getAsLong() + DRIVER_ENDS_MS;
        driver.closeStdin();
    }
}
