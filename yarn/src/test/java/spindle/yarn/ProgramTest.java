package spindle.yarn;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the program is looked for, and what it must pass before it runs. */
class ProgramTest {
    private static final String SCRIPT = "#!/bin/sh\n";
    private static final String SHA = "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf"; // sha256sum's
    private static final String OTHER = String.join("", Collections.nCopies(64, "0"));
    private static final String URL = "hdfs://nn/spindle";

    @TempDir
    Path dir;

    /** What is on the cluster. */
    private final Map<String, String> remote = new HashMap<>();
    private Path scratch;

    @BeforeEach
    void prepare() throws IOException {
        scratch = Files.createDirectory(dir.resolve("scratch"));
        remote.put(URL, SCRIPT);
    }

    @Test
    void places_are_those_of_a_folder_a_package_and_a_checkout() {
        assertEquals(paths("/p/lib/spindle", "/p/bin/spindle", "/target/release/spindle"),
                Places.beside(Paths.get("/p/lib/x.jar"), Paths.get("/p/lib/x.jar")));
        assertEquals(paths("/opt/spindle", "/bin/spindle"), beside("/opt/x.jar"));
        assertEquals(paths("/spindle"), beside("/x.jar"));
        assertEquals(paths("/c/spindle", "/w/yarn/target/spindle", "/w/yarn/bin/spindle", "/w/target/release/spindle"),
                Places.beside(Paths.get("/c/x.jar"), Paths.get("/w/yarn/target/x.jar")));
    }

    private static List<Path> beside(String jar) {
        return Places.beside(Paths.get(jar), Paths.get(jar));
    }

    @Test
    void what_a_stranger_put_beside_the_jar_is_refused() throws Exception {
        Path planted = script("spindle");
        Path ours = Paths.get("/bin/sh").toRealPath();
        Object owner = Files.getAttribute(planted, "unix:uid");
        if (owner.equals(0)) {
            owner = 12345; // only root can give a file away
            Files.setAttribute(planted, "unix:uid", owner);
        }
        Object stranger = 54321;
        String told = refusal(true, () -> Places.check(planted, ours, stranger));
        assertTrue(told.contains(planted + " belongs to user " + Files.getOwner(planted).getName()), told);
        Places.check(planted, ours, owner);
        Places.check(planted, planted, stranger);
        Places.check(ours, planted, stranger);
        Path link = Files.createSymbolicLink(dir.resolve("link"), planted);
        refusal(true, () -> Places.check(link, ours, stranger));
        if (Places.me().equals(0)) {
            assertTrue(refusal(true, () -> find("job.yaml", null, planted)).contains(planted.toString()));
            Path planted_link = Files.createSymbolicLink(dir.resolve("planted"), ours);
            Files.setAttribute(planted_link, "unix:uid", owner, java.nio.file.LinkOption.NOFOLLOW_LINKS);
            refusal(true, () -> Places.check(planted_link, ours, stranger));
        }
    }

    @Test
    void a_variable_with_a_password_is_not_repeated() {
        String told = refusal(true, () -> find("job.yaml", "oss://id:my-secret@jars/a"));
        assertTrue(told.contains("SPINDLE_BIN") && !told.contains("my-secret"), told);
    }

    @Test
    void the_first_that_is_named_is_taken() throws Exception {
        Path named = script("named");
        Path beside = script("beside");
        assertEquals(URL, find("--binary " + URL, named.toString(), beside).from);
        assertEquals(named.toString(), find("job.yaml", named.toString(), beside).from);
        assertEquals(beside.toString(), find("job.yaml", "", dir.resolve("gone"), beside).from);
    }

    @Test
    void a_name_without_a_file_is_refused_and_not_passed_over() throws Exception {
        Path beside = script("beside");
        Path gone = dir.resolve("gone");
        assertTrue(refusal(true, () -> find("--binary " + gone, null, beside)).contains("--binary " + gone));
        assertTrue(refusal(true, () -> find("job.yaml", gone.toString(), beside)).contains("SPINDLE_BIN is " + gone));
        String none = refusal(true, () -> find("job.yaml", null, gone, dir));
        assertTrue(none.contains(gone + ", " + dir) && none.contains("--binary FILE"), none);
    }

    @Test
    void what_can_be_run_here_stays_where_it_is() throws Exception {
        Path script = script("a b");
        assertEquals(script, ready(script.toString(), null));
        assertEquals(script, ready(script.toString(), SHA));
        assertEquals(0, scratch.toFile().list().length);
    }

    /** As a scheduler's agent has fetched it. */
    @Test
    void a_file_that_nobody_may_run_is_copied() throws Exception {
        Path plain = Files.write(dir.resolve("plain"), SCRIPT.getBytes(UTF_8));
        Path copy = ready(plain.toString(), null);
        assertEquals(scratch, copy.getParent());
        assertTrue(Files.isExecutable(copy));
    }

    @Test
    void what_is_fetched_is_for_its_owner_alone() throws Exception {
        Path fetched = ready(URL, null);
        assertEquals(SCRIPT, new String(Files.readAllBytes(fetched), UTF_8));
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(fetched)));
    }

    @Test
    void a_hash_is_checked_wherever_it_comes_from() throws Exception {
        for (String beside : Arrays.asList(SHA + "  spindle\n", "  " + SHA.toUpperCase())) {
            remote.put(URL + ".sha256", beside);
            Files.delete(ready(URL, null));
        }
        String wrong = refusal(false, () -> ready(URL, OTHER));
        assertTrue(wrong.contains(SHA) && wrong.contains("expected is " + OTHER), wrong);
        Files.delete(scratch.resolve("spindle"));
        remote.put(URL + ".sha256", OTHER);
        assertTrue(refusal(false, () -> ready(URL, null)).contains("expected is " + OTHER));
        Files.delete(scratch.resolve("spindle"));
        ready(URL, SHA); // what is said beats what lies there
        for (String malformed : Arrays.asList("", " \n", "<html>", SHA + "00")) {
            remote.put(URL + ".sha256", malformed);
            assertTrue(refusal(false, () -> ready(URL, null)).contains(URL + ".sha256 does not begin with"), malformed);
        }
        Path script = script("script");
        Files.write(dir.resolve("script.sha256"), OTHER.getBytes(UTF_8));
        assertTrue(refusal(false, () -> ready(script.toString(), null)).contains("expected is " + OTHER));
    }

    @Test
    void what_cannot_be_fetched_is_named() {
        assertTrue(refusal(false, () -> ready("hdfs://nn/gone", null)).contains("hdfs://nn/gone: there is no such file"));
        Program.Source broken = path -> {
            throw new IOException("the server said no\nand more");
        };
        String told = refusal(false, () -> new Program(URL, null).ready(broken, () -> scratch));
        assertEquals("fetch " + URL + ": the server said no: can `hadoop fs -ls` read it with the same settings?", told);
    }

    @Test
    void what_is_no_program_is_not_given_to_a_shell() throws IOException {
        remote.put(URL, "exit 0");
        assertTrue(refusal(false, () -> ready(URL, null)).contains("it is no program"));
        Files.delete(scratch.resolve("spindle"));
        remote.put(URL, "");
        assertTrue(refusal(false, () -> ready(URL, null)).contains("it is no program"));
    }

    @Test
    void a_program_is_for_one_kind_of_processor() throws IOException {
        byte[] java = new byte[64]; // a program of this machine
        Files.newInputStream(Paths.get("/proc/self/exe")).read(java);
        String here = System.getProperty("os.arch");
        String other = here.equals("amd64") ? "aarch64" : "amd64";
        assertNull(Executable.fault(java, here));
        assertNull(Executable.fault(java, "sparc"), "nobody knows");
        assertTrue(Executable.fault(java, other).contains("another processor"));
        assertFalse(Executable.fault(Arrays.copyOf(java, 10), here).isEmpty(), "cut off");
    }

    private Program find(String args, String named, Path... places) throws IOException, Refused {
        return Program.find(Arguments.parse(args.split(" ")), named, Arrays.asList(places), Paths.get("/bin/sh"));
    }

    private Path ready(String from, String sha256) throws Refused {
        Program program = new Program(from, sha256);
        Program.Source cluster = path -> remote.containsKey(path)
                ? new ByteArrayInputStream(remote.get(path).getBytes(UTF_8)) : null;
        return program.ready(program.isRemote() ? cluster : Program.LOCAL, () -> scratch);
    }

    private Path script(String name) throws IOException {
        Path script = Files.write(dir.resolve(name), SCRIPT.getBytes(UTF_8));
        return Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-x---"));
    }

    private static List<Path> paths(String... paths) {
        return Arrays.asList(Arrays.stream(paths).map(Paths::get).toArray(Path[]::new));
    }

    private static String refusal(boolean usage, org.junit.jupiter.api.function.Executable doing) {
        Refused refused = assertThrows(Refused.class, doing);
        assertEquals(usage, refused.usage);
        return refused.getMessage();
    }
}
