package spindle.yarn;

import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.yarn.api.records.Container;

/**
 * Starts and stops processes in containers, several at a time, since a NodeManager may take its time to answer; and
 * tells the file system, which may as well, that the application's files are needed.
 */
final class Launcher {
    private static final int THREADS = 16;

    private final Cluster cluster;
    private final Plan plan;
    private final ApplicationMaster master;
    private final ThreadPoolExecutor pool;

    /** The plan is told of launches, by the thread that it belongs to. */
    Launcher(Cluster cluster, Plan plan, ApplicationMaster master) {
        this.cluster = cluster;
        this.plan = plan;
        this.master = master;
        // Not bounded here: the plan has at most as many launches and stops open as there are slots.
        pool = new ThreadPoolExecutor(THREADS, THREADS, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
        pool.allowCoreThreadTimeOut(true);
    }

    void launch(Container container, List<String> argv) {
        pool.execute(() -> {
            try {
                cluster.launch(container, argv);
                master.post(() -> plan.launched(container));
            } catch (Exception | LinkageError e) {
                String host = container.getNodeId().getHost();
                Log.say("launch of " + container.getId() + " on " + host + ": " + e);
                String cause = "could not be started on " + host + ": " + Log.cause(e);
                master.post(() -> plan.launchFailed(container, cause));
            }
        });
    }

    /** Its release, told to the ResourceManager at the same time, ends what cannot be reached here. */
    void stop(Container container) {
        String what = "stop of " + container.getId() + " on " + container.getNodeId().getHost();
        pool.execute(() -> Log.attempt(what, () -> cluster.stop(container)));
    }

    void stillNeeded() {
        pool.execute(() -> Log.attempt("staging", cluster::stillNeeded));
    }

    /** Takes nothing more; waits for what is under way. */
    void close(long ms) throws InterruptedException {
        pool.shutdown();
        pool.awaitTermination(ms, TimeUnit.MILLISECONDS);
    }
}
