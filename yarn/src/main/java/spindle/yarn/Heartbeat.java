package spindle.yarn;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
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

    /** Permits when something is not to wait for the time of the next heartbeat. */
    private final Semaphore urgent = new Semaphore(0);
    // What the deciding thread wants; null until it does.
    private volatile String ready;
    private volatile Protocol.Finish finish;
    private volatile boolean asking;
    private volatile float progress;

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
    void ready(String http) {
        ready = http;
        urgent.release();
    }

    /** The cluster is told this by the next heartbeat: at once when something is asked for or given back. */
    void carry(Plan.Steps steps) {
        asking = steps.asking;
        if (!steps.asks.isEmpty() || !steps.releases.isEmpty()) {
            urgent.release();
        }
    }

    void progress(float progress) {
        this.progress = progress;
    }

    /** Unregisters as the next thing. */
    void finish(Protocol.Finish finish) {
        this.finish = finish;
        urgent.release();
    }

    @Override
    public void run() {
        try {
            Cluster cluster = connect.call();
            while (ready == null && finish == null) {
                urgent.acquire();
            }
            RegisterApplicationMasterResponse facts = retried("register", () -> register(cluster));
            AllocateResponse first = beat(cluster);
            master.post(() -> master.registered(cluster, facts, first.getNumClusterNodes()));
            while (finish == null) {
                urgent.tryAcquire(asking ? asking_ms : idle_ms, TimeUnit.MILLISECONDS);
                urgent.drainPermits(); // one heartbeat says it all
                if (finish == null) {
                    AllocateResponse answer = beat(cluster);
                    master.post(() -> master.answered(answer));
                }
            }
            retried("unregister", () -> {
                cluster.unregister(finish.status.equals("SUCCEEDED"), finish.diagnostics);
                return null;
            });
            Log.attempt("the application's directory stays behind", cluster::cleanUp);
            master.post(master::unregistered);
        } catch (Exception | LinkageError e) {
            e.printStackTrace();
            master.post(() -> master.end(ExitCode.RM_REFUSED, "the ResourceManager: " + Log.cause(e)));
        }
    }

    private RegisterApplicationMasterResponse register(Cluster cluster) throws IOException, YarnException {
        return ready == null ? cluster.register(host, 0, "") : cluster.register(host,
                Integer.parseInt(ready.substring(ready.lastIndexOf(':') + 1)), "http://" + ready);
    }

    private AllocateResponse beat(Cluster cluster) throws YarnException, InterruptedException {
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
}
