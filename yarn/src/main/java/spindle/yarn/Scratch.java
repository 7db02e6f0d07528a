package spindle.yarn;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;

/** A folder below $TMPDIR for this user alone, which goes when the JVM ends. */
final class Scratch {
    private Scratch() {}

    static Path folder() throws IOException {
        // Where every other program on Unix puts its own; Java does not look at it.
        String tmp = System.getenv().getOrDefault("TMPDIR", "");
        Path parent = Paths.get(tmp.isEmpty() ? System.getProperty("java.io.tmpdir") : tmp);
        Path folder = Files.createTempDirectory(parent, "spindle-").toAbsolutePath(); // 0700, and nobody else's
        Runtime.getRuntime().addShutdownHook(new Thread(() -> Log.attempt("remove " + folder, () -> remove(folder))));
        return folder;
    }

    private static void remove(Path folder) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }
}
