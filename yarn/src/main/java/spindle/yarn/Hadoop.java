package spindle.yarn;

import java.io.IOException;
import java.io.DataOutputStream;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.api.records.LocalResourceType;
import org.apache.hadoop.yarn.api.records.LocalResourceVisibility;
import org.apache.hadoop.yarn.api.records.URL;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.security.AMRMTokenIdentifier;
import org.apache.hadoop.yarn.util.Records;

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

    static LocalResource localResource(Settings.Resource resource) {
        URI uri = new Path(resource.url).toUri();
        URL url = Records.newRecord(URL.class);
        url.setScheme(uri.getScheme());
        url.setUserInfo(uri.getUserInfo());
        url.setHost(uri.getHost());
        url.setPort(uri.getPort());
        url.setFile(uri.getPath());
        return LocalResource.newInstance(url, LocalResourceType.FILE,
                LocalResourceVisibility.valueOf(resource.visibility), resource.size, resource.mtime);
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
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        passed.writeTokenStorageToStream(new DataOutputStream(bytes));
        return ByteBuffer.wrap(bytes.toByteArray());
    }
}
