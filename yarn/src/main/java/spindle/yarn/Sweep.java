package spindle.yarn;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * Removes from a {@link Staging} what no application needs any more: folders of applications that were killed, whose
 * master could not clean up, and programs that were not submitted for long.
 */
final class Sweep {
    private static final int APPS_MAX = 50;
    private static final long UNKNOWN_KEPT_MS = TimeUnit.HOURS.toMillis(1);
    private static final long UNUSED_KEPT_MS = TimeUnit.DAYS.toMillis(30);
    /** By how much clocks of submitting machines may differ. */
    private static final long CLOCKS_MS = TimeUnit.DAYS.toMillis(1);

    /** What is known about an application. */
    enum Life { LIVE, ENDED, UNKNOWN }

    /** Who knows. */
    interface Lives {
        Life of(String application) throws IOException;
    }

    private final Staging staging;
    private final long now_ms;

    Sweep(Staging staging, long now_ms) {
        this.staging = staging;
        this.now_ms = now_ms;
    }

    /** Sweeps, the oldest first; {@code used} are contents that stay in any case. */
    void run(Lives lives, Set<String> used) throws IOException {
        long oldest_ms = now_ms;
        int asked = 0;
        for (FileStatus app : list("apps")) {
            String name = app.getPath().getName();
            boolean stays = ++asked > APPS_MAX || stays(lives.of(name), app);
            if (stays) {
                oldest_ms = Math.min(oldest_ms, app.getModificationTime());
            } else {
                remove(app);
            }
        }
        // A submit touches what it uses before it makes its application's folder: what was touched before the
        // oldest of those is used by none of them, however long they run.
        long unused_ms = Math.min(now_ms - UNUSED_KEPT_MS, oldest_ms - CLOCKS_MS);
        for (String kind : Arrays.asList("bin", "lib")) {
            for (FileStatus content : list(kind)) {
                if (content.getModificationTime() < unused_ms && !used.contains(content.getPath().getName())) {
                    remove(content);
                }
            }
        }
    }

    private boolean stays(Life life, FileStatus app) {
        boolean young = now_ms - app.getModificationTime() < UNKNOWN_KEPT_MS;
        return life == Life.LIVE || life == Life.UNKNOWN && young;
    }

    private FileStatus[] list(String kind) throws IOException {
        try {
            FileStatus[] found = staging.fs.listStatus(new Path(staging.root, kind));
            Arrays.sort(found, Comparator.comparingLong(FileStatus::getModificationTime));
            return found;
        } catch (FileNotFoundException e) {
            return new FileStatus[0];
        }
    }

    private void remove(FileStatus what) throws IOException {
        Log.say("sweeping " + what.getPath());
        staging.fs.delete(what.getPath(), true);
    }
}
