package spindle.yarn;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.DataOutputBuffer;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.api.records.LocalResourceType;
import org.apache.hadoop.yarn.api.records.LocalResourceVisibility;
import org.apache.hadoop.yarn.api.records.URL;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.security.AMRMTokenIdentifier;

/** What both ends, {@link Submit} and {@link ApplicationMaster}, need of Hadoop. */
final class Hadoop {
    private Hadoop() {}

    /** The cluster's settings, with ours where its defaults are not for a process like this. */
    static Configuration configuration() {
        Configuration conf = new YarnConfiguration();
        // The timeline client needs jars that not every classpath has; we publish nothing there.
        conf.setBoolean("yarn.timeline-service.enabled", false);
        // By default a ResourceManager that is away is asked for again after 30 s.
        conf.setInt("yarn.resourcemanager.connect.retry-interval.ms", 1000);
        return conf;
    }

    /** The files as containers get them, by their names there. */
    static Map<String, LocalResource> localResources(List<Settings.Resource> files) {
        Map<String, LocalResource> local = new HashMap<>();
        for (Settings.Resource file : files) {
            local.put(file.name, LocalResource.newInstance(URL.fromPath(new Path(file.url)), LocalResourceType.FILE,
                    LocalResourceVisibility.valueOf(file.visibility), file.size, file.mtime));
        }
        return local;
    }

    /**
     * What proves to this file system, on its nodes, that we sent them; null where nobody asks. The ResourceManager
     * renews it: by the short name of its principal, which its host is not in.
     */
    static ByteBuffer tokensFor(FileSystem fs) throws IOException {
        if (!UserGroupInformation.isSecurityEnabled()) {
            return null;
        }
        Credentials tokens = new Credentials();
        String principal = fs.getConf().get(YarnConfiguration.RM_PRINCIPAL, "");
        fs.addDelegationTokens(SecurityUtil.getServerPrincipal(principal, "resourcemanager"), tokens);
        return bytes(tokens);
    }

    /** The credentials of this process for its containers: all but the one that speaks for the application. */
    static ByteBuffer credentialsForContainers() throws IOException {
        Credentials passed = new Credentials();
        Credentials own = UserGroupInformation.getCurrentUser().getCredentials();
        for (Token<?> token : own.getAllTokens()) {
            if (!token.getKind().equals(AMRMTokenIdentifier.KIND_NAME)) {
                passed.addToken(token.getService(), token);
            }
        }
        return bytes(passed);
    }

    private static ByteBuffer bytes(Credentials credentials) throws IOException {
        DataOutputBuffer bytes = new DataOutputBuffer();
        credentials.writeTokenStorageToStream(bytes);
        return ByteBuffer.wrap(bytes.getData(), 0, bytes.getLength());
    }
}
