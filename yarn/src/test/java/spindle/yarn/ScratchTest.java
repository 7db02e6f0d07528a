package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which folders of killed JVMs are removed. */
class ScratchTest {
    @TempDir
    Path dir;

    @Test
    void what_a_killed_jvm_left_goes_after_a_day_and_nothing_else() throws Exception {
        left("spindle-jar-1");
        Files.createDirectory(dir.resolve("spindle-jar-empty"));
        left("spindle-2"); // of a job that runs
        left("elsewhere");
        Files.createSymbolicLink(dir.resolve("spindle-jar-link"), dir.resolve("elsewhere"));
        Instant now = Instant.now();
        sweep(Places.me(), now.plus(Duration.ofHours(23)));
        assertEquals(Arrays.asList("elsewhere", "spindle-2", "spindle-jar-1", "spindle-jar-empty", "spindle-jar-link"),
                names(dir));
        sweep(-1, now.plus(Duration.ofHours(25)));
        assertEquals(5, names(dir).size(), "another user's");
        sweep(Places.me(), now.plus(Duration.ofHours(25)));
        assertEquals(Arrays.asList("elsewhere", "spindle-2", "spindle-jar-link"), names(dir));
        assertEquals(Arrays.asList("lock", "spindle"), names(dir.resolve("elsewhere")));
    }

    @Test
    void a_folder_is_in_use_while_its_maker_lives() throws Exception {
        Path folder = left("spindle-jar-1");
        try (FileChannel lock = FileChannel.open(folder.resolve("lock"), StandardOpenOption.WRITE)) {
            lock.lock();
            sweep(Places.me(), Instant.now().plus(Duration.ofDays(9)));
        }
        assertEquals(Arrays.asList("lock", "spindle"), names(folder));
    }

    private Path left(String name) throws IOException {
        Path folder = Files.createDirectory(dir.resolve(name));
        Files.createFile(folder.resolve("lock"));
        Files.createFile(folder.resolve("spindle"));
        return folder;
    }

    private void sweep(Object me, Instant now) throws IOException {
        Scratch.sweep(dir, me, now);
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().collect(Collectors.toList());
        }
    }
}
