package spindle.yarn;

import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Starts and stops processes in containers, several at a time, since a NodeManager may take its time to answer; and
 * tells the file system, which may as well, that the application's files are needed.
 */
final class Launcher {
    private static final int THREADS = 16;

    /** What became of a launch; called in a thread of the pool. */
    interface News {
        void launched(Cluster.Grant grant);

        void launchFailed(Cluster.Grant grant, String cause);
    }

    private final Cluster cluster;
    private final News news;
    private final ThreadPoolExecutor pool;

    Launcher(Cluster cluster, News news) {
        this.cluster = cluster;
        this.news = news;
        // Not bounded here: the plan has at most as many launches and stops open as there are slots.
        pool = new ThreadPoolExecutor(THREADS, THREADS, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), work -> {
            Thread thread = new Thread(work, "launcher");
            thread.setDaemon(true);
            return thread;
        });
        pool.allowCoreThreadTimeOut(true);
    }

    void launch(Cluster.Grant grant, List<String> argv) {
        pool.execute(() -> {
            try {
                cluster.launch(grant, argv);
                news.launched(grant);
            } catch (Exception | LinkageError e) {
                Log.say("launch of " + grant.container + " on " + grant.host + ": " + e);
                news.launchFailed(grant, "could not be started on " + grant.host + ": " + Log.cause(e));
            }
        });
    }

    /** Its release, told to the ResourceManager at the same time, ends what cannot be reached here. */
    void stop(Cluster.Grant grant) {
        pool.execute(() -> {
            try {
                cluster.stop(grant);
            } catch (Exception | LinkageError e) {
                Log.say("stop of " + grant.container + " on " + grant.host + ": " + Log.cause(e));
            }
        });
    }

    void stillNeeded() {
        pool.execute(() -> {
            try {
                cluster.stillNeeded();
            } catch (Exception | LinkageError e) {
                Log.say("staging: " + Log.cause(e));
            }
        });
    }

    /** Takes nothing more; waits for what is under way. */
    void close(long ms) throws InterruptedException {
        pool.shutdown();
        pool.awaitTermination(ms, TimeUnit.MILLISECONDS);
    }
}
