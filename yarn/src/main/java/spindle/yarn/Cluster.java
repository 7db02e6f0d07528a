package spindle.yarn;

import java.io.IOException;
import java.util.List;
import java.util.Set;

/**
 * YARN as the shim sees it: the ResourceManager and the NodeManagers. {@link YarnCluster} is the real one; tests
 * play one. All but launch, stop and stillNeeded are called by one thread, the {@link Heartbeat}.
 */
interface Cluster {
    /** What registering tells. */
    final class Registered {
        final int max_memory_mb;
        final int max_cores;
        final String queue;

        Registered(int max_memory_mb, int max_cores, String queue) {
            this.max_memory_mb = max_memory_mb;
            this.max_cores = max_cores;
            this.queue = queue;
        }
    }

    /** A request for one container; its priority, used once, is its name. */
    final class Ask {
        final int priority;
        final int memory_mb;
        final int cores;
        final String label;

        Ask(int priority, int memory_mb, int cores, String label) {
            this.priority = priority;
            this.memory_mb = memory_mb;
            this.cores = cores;
            this.label = label;
        }
    }

    /** A container that was given for the ask of this priority. */
    class Grant {
        final int priority;
        final String container;
        final String host;
        final int memory_mb;
        final String log_url;

        Grant(int priority, String container, String host, int memory_mb, String log_url) {
            this.priority = priority;
            this.container = container;
            this.host = host;
            this.memory_mb = memory_mb;
            this.log_url = log_url;
        }
    }

    /** A container that is over. */
    final class Completed {
        final String container;
        final int status;
        final String diagnostics;

        Completed(String container, int status, String diagnostics) {
            this.container = container;
            this.status = status;
            this.diagnostics = diagnostics;
        }
    }

    /** What one heartbeat brought. */
    final class Answer {
        final List<Grant> granted;
        final List<Completed> completed;
        final List<String> lost_hosts;
        final int nodes;
        final int free_mb;

        Answer(List<Grant> granted, List<Completed> completed, List<String> lost_hosts, int nodes, int free_mb) {
            this.granted = granted;
            this.completed = completed;
            this.lost_hosts = lost_hosts;
            this.nodes = nodes;
            this.free_mb = free_mb;
        }
    }

    /** The ResourceManager will not have this attempt any more. */
    final class TurnedAway extends Exception {
        private static final long serialVersionUID = 1;

        TurnedAway(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** Registers; throws IOException when it may be tried again. */
    Registered register(String host, int port, String url) throws IOException, TurnedAway;

    /** Remembers what the next heartbeat is to say; asks nobody. */
    void change(List<Ask> asks, List<Integer> withdrawn, List<Grant> releases, Set<String> blacklist);

    /** One heartbeat; after an IOException the next says again what this one was to say. */
    Answer allocate(float progress) throws IOException, TurnedAway;

    void launch(Grant grant, List<String> argv) throws Exception;

    void stop(Grant grant) throws Exception;

    void unregister(boolean succeeded, String diagnostics) throws IOException, TurnedAway;

    /** Tells whoever sweeps the staging folder that this application needs what it has there. */
    void stillNeeded() throws IOException;

    /** Deletes the application's directory. */
    void cleanUp() throws IOException;
}
