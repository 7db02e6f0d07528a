package spindle.yarn;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;

/**
 * A folder below $TMPDIR for this user alone, which goes when the JVM ends. Those of JVMs that were killed go when the
 * next one is made.
 */
final class Scratch {
    // Other programs of Spindle begin theirs by `spindle-` alone, and do not lock them.
    private static final String PREFIX = "spindle-jar-";
    /** Its maker locks it for as long as it lives: a process id would mean nothing to another container. */
    private static final String LOCK = "lock";
    /** Far longer than it takes from making a folder to locking it. */
    private static final Duration OLD = Duration.ofDays(1);

    private Scratch() {}

    static Path folder() throws IOException, Refused {
        // Where every other program on Unix puts its own; Java does not look at it.
        String tmp = System.getenv().getOrDefault("TMPDIR", "");
        Path parent = Paths.get(tmp.isEmpty() ? System.getProperty("java.io.tmpdir") : tmp);
        if (!Files.isDirectory(parent) || !Files.isWritable(parent)) {
            throw new Refused(true, "make a folder in TMPDIR (" + parent + "): it is no folder that this user may write"
                    + " to: correct TMPDIR, or unset it");
        }
        Log.attempt("remove what others left in " + parent, () -> sweep(parent, Places.me(), Instant.now()));
        return make(parent);
    }

    private static Path make(Path parent) throws IOException {
        Path folder = Files.createTempDirectory(parent, PREFIX).toAbsolutePath(); // 0700, and nobody else's
        FileChannel lock =
                FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        Log.attempt("lock " + folder, lock::lock);
        // The hook holds on to the channel: Java closes one that nobody refers to, and the lock goes with it.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> Log.attempt("remove " + folder, () -> {
            remove(folder);
            lock.close();
        })));
        return folder;
    }

    /** Removes folders of user {@code me} whose makers have ended without doing so. */
    static void sweep(Path parent, Object me, Instant now) throws IOException {
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(parent, PREFIX + "*")) {
            for (Path folder : folders) {
                Log.attempt("remove " + folder, () -> removeLeft(folder, me, now));
            }
        }
    }

    private static void removeLeft(Path folder, Object me, Instant now) throws IOException {
        LinkOption itself = LinkOption.NOFOLLOW_LINKS;
        if (!Files.isDirectory(folder, itself) || !me.equals(Files.getAttribute(folder, Places.UID, itself))
                || Files.getLastModifiedTime(folder, itself).toInstant().isAfter(now.minus(OLD))) {
            return;
        }
        try (FileChannel lock = FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE,
                StandardOpenOption.WRITE, itself)) {
            if (lock.tryLock() != null) {
                remove(folder);
            }
        }
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
