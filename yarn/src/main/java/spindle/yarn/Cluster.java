package spindle.yarn;

import java.io.IOException;
import java.util.List;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterResponse;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.exceptions.YarnException;

/**
 * YARN as the shim sees it: the ResourceManager and the NodeManagers. {@link YarnCluster} is the real one; tests
 * play one. From the ResourceManager an IOException says that it may be tried again, a YarnException that it will
 * not have this attempt any more.
 */
interface Cluster {
    RegisterApplicationMasterResponse register(String host, int port, String url) throws IOException, YarnException;

    /** Remembers what the next heartbeat is to say; asks nobody, and may be called while one is under way. */
    void change(Plan.Steps steps);

    /** One heartbeat; after an IOException the next says again what this one was to say. */
    AllocateResponse allocate(float progress) throws IOException, YarnException;

    void launch(Container container, List<String> argv) throws Exception;

    void stop(Container container) throws Exception;

    void unregister(boolean succeeded, String diagnostics) throws IOException, YarnException;

    /** Tells whoever sweeps the staging folder that this application needs what it has there. */
    void stillNeeded() throws IOException;

    /** Deletes the application's directory. */
    void cleanUp() throws IOException;
}
