package spindle.yarn;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.yarn.exceptions.YarnException;

/**
 * Removes from a {@link Staging} what no application needs any more: folders of applications that were killed, whose
 * master could not clean up, and programs that were not used for long.
 *
 * <p>An application that the ResourceManager does not know is not always one that has ended. It forgets the oldest,
 * and all of them when it is restarted without recovery; but the folder may also be shared with another cluster,
 * whose applications it never knew. Neither the number in an application's id (a ResourceManager takes a new one at
 * each start) nor an address (several clusters may have the same) tells these apart. So every application's master
 * touches what it needs, each {@link ApplicationMaster#STILL_NEEDED_MS}, and what was not touched for a week belongs
 * to none that runs, wherever it ran. One that has waited longer than that for its first container is lost.
 */
final class Sweep {
    private static final int APPS_MAX = 50;
    private static final long UNKNOWN_KEPT_MS = TimeUnit.DAYS.toMillis(7);
    private static final long UNUSED_KEPT_MS = TimeUnit.DAYS.toMillis(30);

    /** What is known about an application. */
    enum Life { LIVE, ENDED, UNKNOWN }

    /** Who knows. */
    interface Lives {
        Life of(String application) throws IOException, YarnException;
    }

    private final Staging staging;
    private final long now_ms;

    Sweep(Staging staging, long now_ms) {
        this.staging = staging;
        this.now_ms = now_ms;
    }

    /** Sweeps, the oldest first; {@code used} are contents that stay in any case. */
    void run(Lives lives, Set<String> used) throws IOException, YarnException {
        List<FileStatus> apps = list("apps");
        for (FileStatus app : apps.subList(0, Math.min(apps.size(), APPS_MAX))) {
            Life life = lives.of(app.getPath().getName());
            if (life == Life.ENDED || life == Life.UNKNOWN && untouched(app, UNKNOWN_KEPT_MS)) {
                remove(app);
            }
        }
        for (String kind : Arrays.asList("bin", "lib")) {
            for (FileStatus content : list(kind)) {
                if (untouched(content, UNUSED_KEPT_MS) && !used.contains(content.getPath().getName())) {
                    remove(content);
                }
            }
        }
    }

    private boolean untouched(FileStatus folder, long ms) {
        return now_ms - folder.getModificationTime() >= ms;
    }

    private List<FileStatus> list(String kind) throws IOException {
        try {
            FileStatus[] found = staging.fs.listStatus(new Path(staging.root, kind));
            Arrays.sort(found, Comparator.comparingLong(FileStatus::getModificationTime));
            return Arrays.asList(found);
        } catch (FileNotFoundException e) {
            return Collections.emptyList();
        }
    }

    private void remove(FileStatus what) throws IOException {
        Log.say("sweeping " + what.getPath());
        staging.fs.delete(what.getPath(), true);
    }
}
