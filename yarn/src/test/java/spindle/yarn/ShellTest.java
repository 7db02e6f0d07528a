package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands as a real bash understands them, wrapped as a NodeManager does it. */
class ShellTest {
    private static final List<String> ARGUMENTS = Arrays.asList("plain-_./:=,@%+", "", " ", "two words", "'", "\"",
            "\\", "\\n", "$HOME", "${HOME}", "$(id)", "`id`", "!!", "{{PWD}}", "<LOG_DIR>", "<CPS>", "a\nb\tc",
            "ü€😀", "*", "~", "#", ";", "&&", "|", "a\\x41", "\u00070123", "{a,b}", "-n");

    @TempDir
    Path dir;

    @Test
    void arguments_arrive_as_they_are() throws Exception {
        String script = "exec printf '%s\\0'" + Shell.words(ARGUMENTS);
        assertEquals(ARGUMENTS, printed(run("/bin/bash", "-c", script)));
    }

    @Test
    void arguments_arrive_through_a_node_manager() throws Exception {
        String command = Shell.container("p=printf; $p '%s\\0'" + Shell.words(ARGUMENTS), "x.");
        assertTrue(command.chars().allMatch(c -> c >= ' ' && c < 0x7f), "neither its locale nor its lines matter");
        // What ContainerLaunch replaces in a command, and what it writes around it.
        command = command.replace("<LOG_DIR>", dir.toString()).replace("<CPS>", ":").replace("{{", "$")
                .replace("}}", "");
        Path launch = dir.resolve("launch_container.sh");
        Files.write(launch, ("exec /bin/bash -c \"" + command + "\"\n").getBytes(StandardCharsets.US_ASCII));
        run("/bin/bash", launch.toString());
        String written = new String(Files.readAllBytes(dir.resolve("x.stdout")), StandardCharsets.UTF_8);
        assertEquals(ARGUMENTS, printed(written));
    }

    @Test
    void only_the_program_that_was_submitted_is_run() throws Exception {
        String sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"; // of foo
        String script = Shell.verified(sha256, Arrays.asList("echo", "it runs"));
        Files.write(dir.resolve("spindle"), "foo".getBytes(StandardCharsets.US_ASCII));
        assertEquals("it runs\n", run("/bin/bash", "-c", script));
        Files.write(dir.resolve("spindle"), "bar".getBytes(StandardCharsets.US_ASCII));
        assertEquals("exit 18", run("/bin/bash", "-c", script));
        Files.delete(dir.resolve("spindle"));
        assertEquals("exit 18", run("/bin/bash", "-c", script));
    }

    private static List<String> printed(String words) {
        return Arrays.asList(words.split("\0", -1)).subList(0, ARGUMENTS.size());
    }

    /** What the command prints, or "exit N". */
    private String run(String... command) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(new ArrayList<>(Arrays.asList(command))).directory(dir.toFile());
        builder.environment().put("LC_ALL", "C");
        Process process = builder.redirectError(dir.resolve("stderr").toFile()).start();
        StringBuilder out = new StringBuilder();
        try (InputStream in = process.getInputStream()) {
            byte[] bytes = new byte[1 << 16];
            for (int read = in.read(bytes); read >= 0; read = in.read(bytes)) {
                out.append(new String(bytes, 0, read, StandardCharsets.UTF_8));
            }
        }
        int code = process.waitFor();
        return code == 0 ? out.toString() : "exit " + code;
    }
}
