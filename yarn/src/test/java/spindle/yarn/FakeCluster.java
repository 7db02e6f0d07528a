package spindle.yarn;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A ResourceManager with two nodes that gives at once what is asked for, and does what a test says. */
final class FakeCluster implements Cluster {
    final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    private final Map<Integer, Ask> open = new LinkedHashMap<>();
    private final List<Completed> completed = new ArrayList<>();
    private final Set<String> alive = new HashSet<>();
    private Set<String> passed_over = Collections.emptySet();
    private int containers = 1;
    /** When not null, the heartbeat fails with it. */
    volatile Exception rm_fails;
    volatile boolean nodes_fail;

    @Override
    public Registered register(String host, int port, String url) throws IOException, TurnedAway {
        calls.add("register " + host + " " + port + " " + url);
        fail();
        return new Registered(4096, 4, "default");
    }

    @Override
    public synchronized void change(List<Ask> asks, List<Integer> withdrawn, List<Grant> releases, Set<String> wanted) {
        withdrawn.forEach(open::remove);
        asks.forEach(ask -> open.put(ask.priority, ask));
        releases.forEach(grant -> complete(grant.container, -100));
        passed_over = wanted;
    }

    @Override
    public synchronized Answer allocate(float progress) throws IOException, TurnedAway {
        fail();
        List<Grant> granted = new ArrayList<>();
        for (Ask ask : open.values()) {
            String host = "h" + (containers % 2 + 1);
            String container = "c" + ++containers;
            if (!passed_over.contains(host)) {
                alive.add(container);
                granted.add(new Grant(ask.priority, container, host, ask.memory_mb, "http://" + host + "/" + container));
            }
        }
        granted.forEach(grant -> open.remove(grant.priority));
        List<Completed> over = new ArrayList<>(completed);
        completed.clear();
        return new Answer(granted, over, Collections.emptyList(), 2, 4096);
    }

    /** The container ends by itself. */
    synchronized void complete(String container, int status) {
        if (alive.remove(container)) {
            completed.add(new Completed(container, status, "ended"));
        }
    }

    @Override
    public void launch(Grant grant, List<String> argv) throws IOException {
        if (nodes_fail) {
            throw new IOException("no route to " + grant.host);
        }
        calls.add("launch " + grant.container + " " + String.join(" ", argv));
    }

    @Override
    public void stop(Grant grant) {
        calls.add("stop " + grant.container);
        complete(grant.container, -105);
    }

    @Override
    public void unregister(boolean succeeded, String diagnostics) {
        calls.add("unregister " + succeeded + " " + diagnostics);
    }

    @Override
    public void stillNeeded() {
        calls.add("still needed");
    }

    @Override
    public void cleanUp() {
        calls.add("clean up");
    }

    private void fail() throws IOException, TurnedAway {
        Exception e = rm_fails;
        if (e != null) {
            calls.add("failed");
        }
        if (e instanceof TurnedAway) {
            throw (TurnedAway) e;
        } else if (e != null) {
            throw (IOException) e;
        }
    }
}
