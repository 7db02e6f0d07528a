package spindle.yarn;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * The thread that speaks with the ResourceManager, and does nothing else: a heartbeat that waits for something is an
 * application that gets killed. Connects, registers when the driver is ready, beats, unregisters when told to.
 */
final class Heartbeat extends Thread {
    /** What it tells; each is called in this thread and must not wait. */
    interface News {
        void registered(Cluster cluster, Cluster.Registered facts, Cluster.Answer first);

        void answered(Cluster.Answer answer);

        void unregistered();

        /** The end of this thread: the ResourceManager, or the library, will not go on. */
        void gaveUp(String cause);
    }

    private final Callable<Cluster> connect;
    private final String host;
    private final long asking_ms;
    private final long idle_ms;
    private final News news;

    private Cluster cluster;
    // Guarded by this: what the controlling thread wants.
    private String ready;
    private boolean finishing;
    private boolean succeeded;
    private String diagnostics;
    private float progress;
    private boolean asking;
    private boolean urgent;
    private List<Cluster.Ask> asks = new ArrayList<>();
    private List<Integer> withdrawn = new ArrayList<>();
    private List<Cluster.Grant> releases = new ArrayList<>();
    private Set<String> blacklist = Collections.emptySet();

    Heartbeat(Callable<Cluster> connect, String host, long asking_ms, long idle_ms, News news) {
        super("heartbeat");
        setDaemon(true);
        this.connect = connect;
        this.host = host;
        this.asking_ms = asking_ms;
        this.idle_ms = idle_ms;
        this.news = news;
    }

    /** The driver listens at this host:port; from now on the application may be registered. */
    synchronized void ready(String http) {
        ready = http;
        notifyAll();
    }

    /** Passes on what the plan wants; at once when something is asked for or given back. */
    synchronized void change(Plan.Steps steps) {
        asks.addAll(steps.asks);
        withdrawn.addAll(steps.withdrawn);
        releases.addAll(steps.releases);
        blacklist = steps.blacklist;
        asking = steps.asking;
        if (!steps.asks.isEmpty() || !steps.releases.isEmpty()) {
            urgent = true;
            notifyAll();
        }
    }

    synchronized void progress(float progress) {
        this.progress = progress;
    }

    /** Unregisters as the next thing. */
    synchronized void finish(boolean succeeded, String diagnostics) {
        this.succeeded = succeeded;
        this.diagnostics = diagnostics;
        finishing = true;
        notifyAll();
    }

    @Override
    public void run() {
        try {
            cluster = connect.call();
            awaitReady();
            Cluster.Registered facts = register();
            news.registered(cluster, facts, beat());
            while (awaitNextBeat()) {
                news.answered(beat());
            }
            unregister();
            news.unregistered();
        } catch (Exception | LinkageError e) {
            e.printStackTrace();
            news.gaveUp(Log.cause(e));
        }
    }

    private synchronized void awaitReady() throws InterruptedException {
        while (ready == null && !finishing) {
            wait();
        }
    }

    private Cluster.Registered register() throws Cluster.TurnedAway, InterruptedException {
        String http;
        synchronized (this) {
            http = ready;
        }
        int port = http == null ? 0 : Integer.parseInt(http.substring(http.lastIndexOf(':') + 1));
        String url = http == null ? "" : "http://" + http;
        return retried("register", () -> cluster.register(host, port, url));
    }

    /** False when it is time to unregister. */
    private synchronized boolean awaitNextBeat() throws InterruptedException {
        long until = now() + (asking ? asking_ms : idle_ms);
        while (!finishing && !urgent) {
            long left = until - now();
            if (left <= 0) {
                break;
            }
            wait(left);
        }
        urgent = false;
        return !finishing;
    }

    private Cluster.Answer beat() throws Cluster.TurnedAway, InterruptedException {
        float progress;
        synchronized (this) {
            cluster.change(asks, withdrawn, releases, blacklist);
            asks = new ArrayList<>();
            withdrawn = new ArrayList<>();
            releases = new ArrayList<>();
            progress = this.progress;
        }
        return retried("allocate", () -> cluster.allocate(progress));
    }

    private void unregister() throws Cluster.TurnedAway, InterruptedException {
        // Set before finishing, and not again.
        retried("unregister", () -> {
            cluster.unregister(succeeded, diagnostics);
            return null;
        });
        try {
            cluster.cleanUp();
        } catch (IOException | RuntimeException e) {
            Log.say("the application's directory stays behind: " + Log.cause(e));
        }
    }

    private interface Call<T> {
        T call() throws IOException, Cluster.TurnedAway;
    }

    /** Containers run on while the ResourceManager is away, so we wait for it without end. */
    private <T> T retried(String what, Call<T> call) throws Cluster.TurnedAway, InterruptedException {
        while (true) {
            try {
                return call.call();
            } catch (IOException e) {
                Log.say(what + ": " + Log.cause(e));
                Thread.sleep(idle_ms);
            }
        }
    }

    private static long now() {
        return System.nanoTime() / 1_000_000;
    }
}
