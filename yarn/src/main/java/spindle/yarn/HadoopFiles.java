package spindle.yarn;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.UserGroupInformation;

/** Files of whatever file system this cluster's Hadoop has a class for: HDFS, EMR's OSS, ... */
final class HadoopFiles implements Program.Source {
    private final Configuration conf = new Configuration();

    HadoopFiles(Arguments arguments) throws IOException {
        // By default a NameNode that is away is waited for for a quarter of an hour.
        conf.setInt("ipc.client.connect.max.retries", 2);
        conf.setInt("ipc.client.connect.max.retries.on.timeouts", 2);
        arguments.settings.forEach(conf::set);
        UserGroupInformation.setConfiguration(conf);
        if (UserGroupInformation.isSecurityEnabled() && arguments.principal != null && arguments.keytab != null) {
            UserGroupInformation.loginUserFromKeytab(arguments.principal, arguments.keytab);
        }
    }

    @Override
    public InputStream open(String url) throws IOException {
        try {
            Path path = new Path(url);
            return path.getFileSystem(conf).open(path);
        } catch (FileNotFoundException e) {
            return null;
        } catch (IllegalArgumentException e) { // such as a host without an address
            throw new IOException(Log.cause(e), e);
        }
    }
}
