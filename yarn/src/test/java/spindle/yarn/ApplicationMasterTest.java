package spindle.yarn;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.apache.hadoop.yarn.exceptions.YarnException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The whole shim with a driver that is a script: a real child process on real pipes, a {@link FakeCluster} for YARN,
 * and a clock that only tests move.
 *
 * <p>The scripts are bash: {@code expect WORD} takes lines until one has the word, {@code say} sends one, {@code
 * until NAME} waits for a file, by which test and script go step by step.
 */
@Timeout(60)
class ApplicationMasterTest {
    private static final String WORDS = "say() { printf '%s\\n' \"$1\"; }\n"
            + "expect() { local line; while IFS= read -r line; do printf '%s\\n' \"$line\" >>heard\n"
            + "  [[ \"$line\" != *\"$1\"* ]] || return 0; done; exit 77; }\n"
            + "reach() { : >\"$1\"; }\n";
    private static final String READY =
            "expect hello; say '{\"type\":\"ready\",\"http\":\"nm1:4711\"}'; expect registered\n";
    private static final String C2 = FakeCluster.id("c2").toString();
    private static final String C3 = FakeCluster.id("c3").toString();
    private static final String FINISH =
            "say '{\"type\":\"finish\",\"status\":\"SUCCEEDED\",\"diagnostics\":\"all done\"}'\n";

    @TempDir
    Path dir;

    private final FakeCluster cluster = new FakeCluster();
    private final AtomicLong clock = new AtomicLong(5_000_000);
    private volatile ApplicationMaster master;
    private volatile boolean ended;
    private long beat_asking_ms = 10;
    private long beat_idle_ms = 10;

    @BeforeEach
    void prepare() throws IOException {
        Files.createDirectory(dir.resolve("logs"));
    }

    @Test
    void a_job_runs_from_hello_to_its_end() throws Exception {
        int code = run(READY + target(1, "0.1", "1.1")
                + "expect granted; expect started; expect started; say '{\"type\":\"progress\",\"value\":0.5}'\n"
                + target(2, "0.1") + "expect exited; say '{\"type\":\"something\",\"new\":1}'\n" + FINISH
                + "while read -r line; do :; done; exit 0\n");
        assertEquals(ExitCode.OK, code);
        List<String> calls = sorted("launch");
        assertEquals(Arrays.asList("launch c2 ./spindle executor 0", "launch c3 ./spindle executor 1"), calls);
        assertEquals("register nm1 4711 http://nm1:4711", cluster.calls.get(0));
        assertTrue(cluster.calls.remove("stop c3")); // by a thread of its own
        assertEquals(Arrays.asList("unregister true all done", "clean up"),
                cluster.calls.subList(cluster.calls.size() - 2, cluster.calls.size()));
        List<String> heard = heard();
        assertEquals("{\"type\":\"hello\",\"v\":1,\"app\":\"application_17_0001\",\"app_dir\":\"hdfs://n/app\",\"attempt\":2,"
                + "\"container\":\"container_e01_17_0001_02_000001\",\"host\":\"nm1\",\"log_dir\":\"" + dir
                + "/logs\",\"user\":\"someone\",\"proxy_base\":\"/proxy/application_17_0001\","
                + "\"container_memory_mb\":448}", heard.get(0));
        assertEquals("{\"type\":\"registered\",\"max_memory_mb\":4096,\"max_cores\":4,\"queue\":\"default\",\"nodes\":2,"
                + "\"executor_memory_mb\":256}", heard.get(1));
        assertEquals("{\"type\":\"granted\",\"slot\":0,\"gen\":1,\"container\":\"" + C2 + "\",\"host\":\"h2\",\"memory_mb\":256}",
                heard.get(2));
        assertTrue(heard.contains("{\"type\":\"started\",\"slot\":0,\"gen\":1,\"container\":\"" + C2 + "\",\"host\":\"h2\","
                + "\"log_url\":\"http://h2:8042/node/containerlogs/" + C2 + "/someone\"}"));
        assertTrue(heard.contains("{\"type\":\"exited\",\"slot\":1,\"gen\":1,\"container\":\"" + C3 + "\",\"host\":\"h1\","
                + "\"class\":\"stopped\",\"code\":-105,\"diagnostics\":\"ended\"}"), heard::toString);
        assertEquals(Collections.singletonList("driver --job job.json --secret-file secret --attempt 2 --more"),
                Files.readAllLines(dir.resolve("arguments")));
    }

    @Test
    void a_container_that_ends_is_told_and_replaced() throws Exception {
        int code = run(READY + target(1, "0.1") + "expect started; reach running; expect exited\n"
                + target(2, "0.2") + "expect started\n" + FINISH + "expect never\n", () -> {
                    awaitFile("running");
                    cluster.complete("c2", 137);
                });
        assertEquals(ExitCode.OK, code);
        assertTrue(heard().stream().anyMatch(line -> line.contains("\"class\":\"killed\",\"code\":137")));
        assertEquals(Arrays.asList("launch c2 ./spindle executor 0", "launch c3 ./spindle executor 0"), sorted("launch"));
    }

    @Test
    void what_is_wanted_does_not_wait_for_the_next_heartbeat() throws Exception {
        beat_asking_ms = beat_idle_ms = 3_600_000;
        int code = run(READY + target(1, "0.1") + "expect started\n" + target(2) + "expect exited\n" + FINISH, () -> {
            awaitCall("stop c2");
            pass(5_000); // now it is given back
        });
        assertEquals(ExitCode.OK, code);
    }

    @Test
    void while_something_is_asked_for_heartbeats_come_sooner() throws Exception {
        beat_idle_ms = 3_600_000;
        cluster.full = true;
        int code = run(READY + target(1, "0.1") + "expect granted\n" + FINISH, () -> {
            awaitCall("full");
            cluster.full = false;
        });
        assertEquals(ExitCode.OK, code);
    }

    @Test
    void a_launch_that_fails_is_told() throws Exception {
        cluster.nodes_fail = true;
        assertEquals(ExitCode.OK, run(READY + target(1, "0.1") + "expect '\"class\":\"launch\"'\n" + FINISH));
        assertTrue(heard().get(heard().size() - 1).contains("could not be started on h2: no route to h2"));
    }

    @Test
    void a_finish_before_ready_still_reaches_the_resource_manager() throws Exception {
        int code = run("expect hello; say '{\"type\":\"finish\",\"status\":\"FAILED\",\"diagnostics\":\"bad job\"}'\n"
                + "expect never\n");
        assertEquals(ExitCode.OK, code);
        assertEquals(Arrays.asList("register nm1 0 ", "unregister false bad job", "clean up"), cluster.calls);
    }

    @Test
    void a_driver_that_does_not_end_after_its_finish_is_killed() throws Exception {
        int code = run(READY + FINISH + "while read -r line; do :; done; reach closed; exec sleep 1000\n", () -> {
            awaitFile("closed");
            pass(5_000);
        });
        assertEquals(ExitCode.OK, code);
        assertTrue(cluster.calls.contains("unregister true all done"));
    }


    @Test
    void a_driver_that_dies_leaves_the_attempt_unregistered() throws Exception {
        int code = run(READY + target(1, "0.1") + "expect started; echo 'the disk is full' >&2; exit 3\n");
        assertEquals(ExitCode.DRIVER_ENDED, code);
        assertNotUnregistered();
        assertTrue(cluster.calls.contains("stop c2"));
    }

    @Test
    void a_driver_that_closes_its_stdout_is_given_time_and_then_killed() throws Exception {
        int code = run(READY + "exec >/dev/null; while read -r line; do :; done\n", () -> {
            awaitEnding();
            pass(5_000);
        });
        assertEquals(ExitCode.DRIVER_ENDED, code);
        assertNotUnregistered();
    }


    @Test
    void a_driver_whose_child_keeps_its_stdout_open_has_ended_all_the_same() throws Exception {
        int code = run(READY + "sleep 1000 & echo $! >child; exit 4\n", () -> {
            awaitEnding();
            pass(1_000);
        });
        assertEquals(ExitCode.DRIVER_ENDED, code);
        String child = Files.readAllLines(dir.resolve("child")).get(0);
        assertEquals(0, new ProcessBuilder("kill", child).start().waitFor());
    }


    @Test
    void a_missing_or_other_program_is_said() throws Exception {
        assertEquals(ExitCode.WRONG_BINARY, runAs("0", READY, () -> { }));
        assertEquals(Collections.emptyList(), cluster.calls);
    }

    @Test
    void a_silent_driver_is_killed_after_a_minute() throws Exception {
        String script = READY + "echo $$ >pid; reach ready; expect '\"n\":1'; reach pinged; while read -r line; do :; done\n";
        int code = run(script, () -> {
            awaitFile("ready");
            pass(10_000);
            awaitFile("pinged");
            pass(50_000);
        });
        assertEquals(ExitCode.DRIVER_SILENT, code);
        String pid = Files.readAllLines(dir.resolve("pid")).get(0);
        while (new ProcessBuilder("kill", "-0", pid).start().waitFor() == 0) {
            Thread.yield(); // it was told to, and will
        }
        assertNotUnregistered();
    }


    @Test
    void a_driver_that_answers_is_let_live() throws Exception {
        StringBuilder script = new StringBuilder(READY + "reach ready\n");
        for (int n = 1; n <= 8; n++) {
            // What is heard in answer tells that the pong before it was.
            script.append("expect '\"n\":" + n + "'; say '{\"type\":\"pong\",\"n\":" + n + "}'\n"
                    + hopeless(Integer.toString(n)) + "expect exited; reach pong" + n + "\n");
        }
        int code = run(script + FINISH, () -> {
            awaitFile("ready");
            for (int n = 1; n <= 8; n++) {
                pass(10_000);
                awaitFile("pong" + n);
            }
        });
        assertEquals(ExitCode.OK, code);
    }

    @Test
    void a_driver_that_is_never_ready_is_silent_too() throws Exception {
        StringBuilder script = new StringBuilder("expect hello; reach begun\n");
        for (int n = 1; n <= 6; n++) {
            script.append("expect '\"n\":" + n + "'; say '{\"type\":\"pong\",\"n\":" + n + "}'; reach pong" + n + "\n");
        }
        int code = run(script + "expect never\n", () -> {
            awaitFile("begun");
            for (int n = 1; n <= 5; n++) {
                pass(10_000);
                awaitFile("pong" + n);
            }
            pass(10_000);
        });
        assertEquals(ExitCode.DRIVER_SILENT, code);
    }

    @Test
    void a_driver_that_does_not_read_ends_when_too_much_waits_for_it() throws Exception {
        // Each target makes a line for it, which it leaves where it is.
        StringBuilder script = new StringBuilder(READY);
        script.append("for i in {1..100000}; do " + hopeless("'$i'") + "done; expect never\n");
        assertEquals(ExitCode.DRIVER_SILENT, run(script.toString()));
        assertNotUnregistered();
    }

    @Test
    void what_is_not_of_the_protocol_ends_the_attempt() throws Exception {
        for (String said : Arrays.asList("say garbage", "say '[]'", "say '{\"type\":{}}'", "say '{\"slots\":[]}'", "say '{\"type\":\"pong\"} x'", "head -c 400000 /dev/zero | tr '\\0' '['; echo",
                "head -c 150000 /dev/zero | tr '\\0' '['; echo",
                "printf '{\"type\":\"pong\",\"x\":[0'; yes ,0 | head -n 250000 | tr -d '\\n'; echo ']}'",
                "printf '\\xff\\n'", "say '{\"type\":\"ready\"}'", "say '{\"type\":\"ready\",\"http\":\"nm1\"}'",
                "say '{\"type\":\"finish\",\"status\":\"MAYBE\"}'", "say '{\"type\":\"progress\"}'", "say '{\"type\":\"finish\"}'",
                "say '{\"type\":\"progress\",\"value\":\"x\"}'",
                "say '{\"type\":\"target\",\"rev\":1,\"slots\":[{\"slot\":0}]}'",
                "say '{\"type\":\"target\",\"rev\":1,\"slots\":[]}'", // before it may
                "head -c 5000000 /dev/zero | tr '\\0' x")) {
            assertEquals(ExitCode.BROKEN_PROTOCOL, run("expect hello\n" + said + "\nexpect never\n"), said);
            Files.delete(dir.resolve("heard"));
        }
        assertEquals(Collections.emptyList(), cluster.calls);
    }

    @Test
    void a_resource_manager_that_is_away_is_told_and_waited_for() throws Exception {
        int code = run(READY + "reach registered; expect '\"lost\"'; reach lost; expect '\"back\"'\n" + FINISH, () -> {
            awaitFile("registered");
            cluster.rm_fails = new IOException("connection refused");
            awaitCall("failed");
            settle();
            pass(10_000);
            awaitFile("lost");
            cluster.rm_fails = null;
        });
        assertEquals(ExitCode.OK, code);
        assertTrue(heard().contains("{\"type\":\"rm\",\"state\":\"lost\",\"seconds\":10}"));
    }


    @Test
    void a_resource_manager_that_turns_us_away_ends_the_attempt() throws Exception {
        int code = run(READY + "reach registered; expect never\n", () -> {
            awaitFile("registered");
            cluster.rm_fails = new YarnException("attempt not found");
        });
        assertEquals(ExitCode.RM_REFUSED, code);
        assertNotUnregistered();
    }

    @Test
    void the_staging_folder_is_told_from_time_to_time_that_its_files_are_needed() throws Exception {
        // A driver that says nothing for so long is given up as well, but not before.
        int code = run(READY + "reach registered; expect never\n", () -> {
            awaitFile("registered");
            pass(ApplicationMaster.STILL_NEEDED_MS);
        });
        assertEquals(ExitCode.DRIVER_SILENT, code);
        assertEquals(Collections.singletonList("still needed"), sorted("still"));
    }

    /** What a test does while the driver runs. */
    private interface Meanwhile {
        void act() throws Exception;
    }

    private int run(String script) throws Exception {
        return run(script, () -> { });
    }

    private int run(String script, Meanwhile meanwhile) throws Exception {
        return runAs(null, script, meanwhile);
    }

    private int runAs(String sha256, String script, Meanwhile meanwhile) throws Exception {
        Path program = dir.resolve("spindle");
        Files.write(program, ("#!/bin/bash\ncd \"${BASH_SOURCE%/*}\"\necho \"$*\" >>arguments\n" + WORDS + script).getBytes(UTF_8));
        assertTrue(program.toFile().setExecutable(true));
        String actual = Staging.sha256(Files.newInputStream(program));
        Settings settings = new Settings();
        settings.user = "someone";
        settings.app_dir = "hdfs://n/app";
        settings.binary_sha256 = sha256 == null ? actual : String.join("", Collections.nCopies(64, sha256));
        settings.driver_args = Collections.singletonList("--more");
        settings.driver_memory_mb = 448;
        settings.executor_memory_mb = 256;
        settings.beat_asking_ms = beat_asking_ms;
        settings.beat_idle_ms = beat_idle_ms;
        Map<String, String> env = new HashMap<>();
        env.put("CONTAINER_ID", "container_e01_17_0001_02_000001");
        env.put("NM_HOST", "nm1");
        env.put("LOG_DIRS", dir.resolve("logs") + ",/elsewhere");
        master = new ApplicationMaster(settings, env, dir.toFile(), () -> cluster, clock::get);
        Throwable[] failure = new Throwable[1];
        Thread acting = new Thread(() -> {
            try {
                meanwhile.act();
            } catch (Throwable e) {
                failure[0] = e;
            }
        });
        acting.setDaemon(true);
        ended = false;
        acting.start();
        int code = master.run();
        ended = true;
        acting.join();
        if (failure[0] != null) {
            throw new AssertionError(failure[0]);
        }
        return code;
    }

    private void pass(long ms) {
        clock.addAndGet(ms);
        master.post(() -> { }); // it looks at the clock then
    }

    /** Waits until everything that was posted before has been acted on. */
    private void settle() throws InterruptedException {
        CountDownLatch settled = new CountDownLatch(1);
        master.post(settled::countDown);
        settled.await();
    }

    private void awaitFile(String name) {
        boolean over = ended;
        while (!Files.exists(dir.resolve(name))) {
            assertFalse(over, "it ended before " + name);
            over = ended;
            Thread.yield();
        }
    }

    private void awaitEnding() {
        while (!master.isEnding()) {
            Thread.yield();
        }
    }

    private void awaitCall(String call) {
        while (sorted(call).isEmpty()) {
            Thread.yield();
        }
    }

    private List<String> sorted(String call) {
        synchronized (cluster.calls) {
            return cluster.calls.stream().filter(each -> each.startsWith(call)).sorted().collect(Collectors.toList());
        }
    }

    private List<String> heard() throws IOException {
        return Files.readAllLines(dir.resolve("heard"));
    }

    private void assertNotUnregistered() {
        assertTrue(sorted("unregister").isEmpty() && sorted("clean").isEmpty(), cluster.calls::toString);
        assertFalse(cluster.calls.isEmpty());
    }

    /** Sends a target that is answered at once, by an end: no container can be so large. */
    private static String hopeless(String rev) {
        return "say '{\"type\":\"target\",\"rev\":" + rev + ",\"slots\":[{\"slot\":0,\"gen\":" + rev
                + ",\"memory_mb\":9999,\"cores\":1,\"argv\":[\"./spindle\"]}]}'\n";
    }

    /** Sends a target of slots that are written slot.gen. */
    private static String target(int rev, String... slots) {
        String all = Arrays.stream(slots).map(slot -> {
            String[] parts = slot.split("\\.");
            return "{\"slot\":" + parts[0] + ",\"gen\":" + parts[1] + ",\"memory_mb\":256,\"cores\":1,"
                    + "\"argv\":[\"./spindle\",\"executor\",\"" + parts[0] + "\"],\"avoid\":[]}";
        }).collect(Collectors.joining(","));
        return "say '{\"type\":\"target\",\"rev\":" + rev + ",\"slots\":[" + all + "],\"exclude\":[],\"label\":\"\"}'\n";
    }
}
