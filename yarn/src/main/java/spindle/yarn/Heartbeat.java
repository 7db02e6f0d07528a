package spindle.yarn;

import java.io.IOException;
import java.util.concurrent.Callable;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterResponse;
import org.apache.hadoop.yarn.exceptions.YarnException;

/**
 * The thread that waits for the ResourceManager, and for nothing else: a heartbeat that does is an application that
 * gets killed. Connects, registers when the driver is ready, beats, unregisters when told to.
 */
final class Heartbeat extends Thread {
    private final Callable<Cluster> connect;
    private final String host;
    private final long asking_ms;
    private final long idle_ms;
    private final ApplicationMaster master;

    private Cluster cluster;
    private volatile float progress;
    // Guarded by this: what the deciding thread wants.
    private boolean ready;
    private String url = "";
    private int port;
    private boolean finishing;
    private boolean succeeded;
    private String diagnostics;
    private boolean asking;
    private boolean urgent;

    Heartbeat(Callable<Cluster> connect, String host, Settings settings, ApplicationMaster master) {
        super("heartbeat");
        setDaemon(true);
        this.connect = connect;
        this.host = host;
        asking_ms = settings.beat_asking_ms;
        idle_ms = settings.beat_idle_ms;
        this.master = master;
    }

    /** The driver listens at this host:port; from now on the application may be registered. */
    synchronized void ready(String http) {
        url = "http://" + http;
        port = Integer.parseInt(http.substring(http.lastIndexOf(':') + 1));
        ready = true;
        notifyAll();
    }

    /** The cluster is told this by the next heartbeat: at once when something is asked for or given back. */
    synchronized void carry(Plan.Steps steps) {
        asking = steps.asking;
        if (!steps.asks.isEmpty() || !steps.releases.isEmpty()) {
            urgent = true;
            notifyAll();
        }
    }

    void progress(float progress) {
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
            RegisterApplicationMasterResponse facts = retried("register", () -> cluster.register(host, port, url));
            AllocateResponse first = beat();
            master.post(() -> master.registered(cluster, facts, first.getNumClusterNodes()));
            while (awaitNextBeat()) {
                AllocateResponse answer = beat();
                master.post(() -> master.answered(answer));
            }
            retried("unregister", () -> {
                cluster.unregister(succeeded, diagnostics);
                return null;
            });
            Log.attempt("the application's directory stays behind", cluster::cleanUp);
            master.post(master::unregistered);
        } catch (Exception | LinkageError e) {
            e.printStackTrace();
            master.post(() -> master.rmRefuses(Log.cause(e)));
        }
    }

    private synchronized void awaitReady() throws InterruptedException {
        while (!ready && !finishing) {
            wait();
        }
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

    private AllocateResponse beat() throws YarnException, InterruptedException {
        return retried("allocate", () -> cluster.allocate(progress));
    }

    private interface Call<T> {
        T call() throws IOException, YarnException;
    }

    /** Containers run on while the ResourceManager is away, so we wait for it without end. */
    private <T> T retried(String what, Call<T> call) throws YarnException, InterruptedException {
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
