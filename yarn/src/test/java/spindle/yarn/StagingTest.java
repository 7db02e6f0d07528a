package spindle.yarn;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.exceptions.YarnException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What lies where in the staging folder, who may read it, and what the sweep leaves; on this machine's files. */
class StagingTest {
    private static final String SHA = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"; // of foo
    private static final long HOUR_MS = TimeUnit.HOURS.toMillis(1);
    private static final long DAY_MS = TimeUnit.DAYS.toMillis(1);

    @TempDir
    Path dir;

    private Path root;
    private File program;
    private Staging staging;

    @BeforeEach
    void prepare() throws IOException {
        Configuration conf = new Configuration(false);
        conf.set("fs.file.impl", "org.apache.hadoop.fs.LocalFileSystem");
        conf.set("fs.permissions.umask-mode", "077"); // nodes must be able to read what all share
        root = dir.resolve("staging");
        staging = new Staging("file://" + root, conf);
        program = Files.write(dir.resolve("program"), "foo".getBytes(UTF_8)).toFile();
    }

    @Test
    void a_program_is_kept_once_per_content() throws Exception {
        Staging.Kept first = keep(SHA);
        assertFalse(first.reused);
        Path kept = root.resolve("bin/" + SHA + "/spindle");
        assertEquals("foo", new String(Files.readAllBytes(kept), UTF_8));
        assertEquals("rwxr-xr-x", permissions(kept));
        assertEquals("rwxr-xr-x", permissions(kept.getParent()));
        assertEquals(Collections.singletonList("spindle"), names(kept.getParent()), "nothing unfinished stays");
        assertEquals("file:" + kept, first.resource.url);
        assertEquals(3, first.resource.size);
        assertEquals(Files.getLastModifiedTime(kept).toMillis(), first.resource.mtime);
        assertEquals("spindle", first.resource.name);

        age(kept.getParent(), 40 * DAY_MS);
        Staging.Kept again = keep(SHA);
        assertTrue(again.reused);
        assertEquals(first.resource.mtime, again.resource.mtime, "nodes go by it");
        assertTrue(System.currentTimeMillis() - Files.getLastModifiedTime(kept.getParent()).toMillis() < HOUR_MS);
    }

    @Test
    void a_hash_that_is_not_given_is_computed() throws Exception {
        assertEquals(SHA, keep("").sha256);
    }

    @Test
    void a_copy_of_another_size_is_not_used() throws Exception {
        keep("");
        Path kept = root.resolve("bin/" + SHA + "/spindle");
        Files.write(kept, "fo".getBytes(UTF_8));
        String message = assertThrows(IOException.class, () -> keep("")).getMessage();
        assertTrue(message.contains("has 2 bytes") && message.contains("delete the former"), message);
    }

    @Test
    void a_program_on_the_cluster_stays_where_it_is() throws Exception {
        Submission.Given given = given("file://" + program, "");
        Staging.Kept kept = staging.keep("bin", "spindle", 0755, given);
        assertEquals("file:" + program, kept.resource.url);
        assertEquals(SHA, kept.sha256);
        assertFalse(Files.exists(root));
    }

    @Test
    void a_program_on_the_cluster_that_is_not_the_one_wanted_is_refused() throws Exception {
        assertEquals(SHA, staging.keep("bin", "spindle", 0755, given("file://" + program, SHA)).sha256);
        Files.write(program.toPath(), "fop".getBytes(UTF_8));
        Refused refused = assertThrows(Refused.class,
                () -> staging.keep("bin", "spindle", 0755, given("file://" + program, SHA)));
        String message = refused.getMessage();
        assertTrue(message.contains(SHA) && message.contains("by --sha256") && !refused.usage, message);
    }

    @Test
    void what_everyone_may_read_is_public_if_everyone_gets_there() throws Exception {
        assertEquals("PRIVATE", keep("").resource.visibility, "the temporary folder is closed");
        Path shared = Files.createTempDirectory("spindle-staging");
        try {
            Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxr-xr-x"));
            Path file = Files.write(shared.resolve("spindle"), "foo".getBytes(UTF_8));
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
            Submission.Given given = given("file://" + file, "");
            assertEquals("PUBLIC", staging.keep("bin", "spindle", 0755, given).resource.visibility);
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-x---"));
            assertEquals("PRIVATE", staging.keep("bin", "spindle", 0755, given).resource.visibility);
            Files.delete(file);
        } finally {
            Files.delete(shared);
        }
    }

    @Test
    void what_belongs_to_an_application_is_for_its_owner_only() throws Exception {
        org.apache.hadoop.fs.Path app = staging.appDir("application_1_0001");
        staging.makeAppDir(app);
        Settings.Resource secret = staging.write(app, "secret", new ByteArrayInputStream(new byte[] {0, 1}));
        Settings.Resource copied = staging.write(app, "a.txt", new FileInputStream(program));
        Path local = root.resolve("apps/application_1_0001");
        assertEquals("rwx------", permissions(local));
        assertEquals("rwx------", permissions(local.getParent()));
        assertEquals("rw-------", permissions(local.resolve("secret")));
        assertEquals("rw-------", permissions(local.resolve("a.txt")));
        assertEquals("APPLICATION", secret.visibility);
        assertEquals(3, copied.size);
        assertThrows(IOException.class, () -> staging.write(app, "secret", new ByteArrayInputStream(new byte[0])), "nothing is overwritten");
    }

    @Test
    void the_sweep_takes_what_no_application_needs() throws Exception {
        long now = System.currentTimeMillis();
        for (String app : Arrays.asList("live", "ended", "unknown-young", "unknown-old")) {
            Files.createDirectories(root.resolve("apps/" + app));
            age(root.resolve("apps/" + app), app.endsWith("young") ? 6 * DAY_MS : app.equals("ended") ? 0 : 8 * DAY_MS);
        }
        for (String sha : Arrays.asList("used", "young", "old")) {
            Files.createDirectories(root.resolve("bin/" + sha));
            age(root.resolve("bin/" + sha), sha.equals("young") ? 29 * DAY_MS : 31 * DAY_MS);
        }
        sweep(now);
        assertEquals(Arrays.asList("live", "unknown-young"), names(root.resolve("apps")));
        assertEquals(Arrays.asList("used", "young"), names(root.resolve("bin")));
    }

    @Test
    void the_sweep_leaves_what_an_application_of_another_cluster_says_that_it_needs() throws Exception {
        Staging.Kept program = keep("");
        org.apache.hadoop.fs.Path app = staging.appDir("unknown_1_0001");
        staging.makeAppDir(app);
        for (org.apache.hadoop.fs.Path needed : Arrays.asList(app, program.dir)) {
            age(java.nio.file.Paths.get(needed.toUri().getPath()), 100 * DAY_MS);
            Staging.touch(staging.fs, needed);
        }
        sweep(System.currentTimeMillis() + 6 * DAY_MS);
        assertEquals(Collections.singletonList("unknown_1_0001"), names(root.resolve("apps")));
        assertEquals(Collections.singletonList(SHA), names(root.resolve("bin")));
        sweep(System.currentTimeMillis() + 31 * DAY_MS);
        assertEquals(Collections.emptyList(), names(root.resolve("apps")));
        assertEquals(Collections.emptyList(), names(root.resolve("bin")));
    }

    @Test
    void the_sweep_asks_about_fifty_applications_at_most() throws Exception {
        for (int i = 0; i < 60; i++) {
            Files.createDirectories(root.resolve("apps/ended-" + i));
        }
        sweep(System.currentTimeMillis());
        assertEquals(10, names(root.resolve("apps")).size());
    }

    @Test
    void there_may_be_nothing_to_sweep() throws Exception {
        sweep(System.currentTimeMillis());
    }

    private void sweep(long now) throws IOException, YarnException {
        Sweep.Lives lives = app -> app.startsWith("live") ? Sweep.Life.LIVE
                : app.startsWith("ended") ? Sweep.Life.ENDED : Sweep.Life.UNKNOWN;
        new Sweep(staging, now).run(lives, Collections.singleton("used"));
    }

    private Staging.Kept keep(String sha256) throws Exception {
        return staging.keep("bin", "spindle", 0755, given(program.getPath(), sha256));
    }

    private static Submission.Given given(String path, String sha256) {
        Submission.Given given = new Submission.Given();
        given.path = path;
        given.sha256 = sha256;
        return given;
    }

    private static void age(Path path, long ms) {
        assertTrue(path.toFile().setLastModified(System.currentTimeMillis() - ms));
    }

    private static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    /** Without the checksums that Hadoop keeps beside its files. */
    private static List<String> names(Path dir) throws IOException {
        try (Stream<Path> all = Files.list(dir)) {
            return all.map(path -> path.getFileName().toString()).filter(name -> !name.endsWith(".crc")).sorted()
                    .collect(Collectors.toList());
        }
    }
}
